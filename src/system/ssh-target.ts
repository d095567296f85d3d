import { ImprintError } from '../foundation/errors.ts';

/** Where to and how to log in. */
export interface SshTarget {
  user?: string;
  host: string;
  port?: number;
  /** Directory on the other side, absolute. */
  directory: string;
  /** Private key file. */
  identity?: string;
  /** As for `ssh -o`. */
  options: readonly string[];
}

/**
 * `ssh://[user@]host[:port][/directory]`, the directory percent-encoded where it must be. Throws `usage` for anything else: a password in it
 * too, since it would show in the list of processes and in the version record.
 */
export function parseSshUrl(source: string, identity?: string, options: readonly string[] = []): SshTarget {
  const match = /^ssh:\/\/(?:([^@/]*)@)?(\[[^\]/]+\]|[^:/@]+)(?::(\d+))?(\/.*)?$/.exec(source);
  const user = match?.[1];
  const host = match?.[2]?.replaceAll(/^\[|\]$/g, '') ?? '';
  const port = match?.[3] === undefined ? undefined : Number(match[3]);
  const fail = (problem: string) =>
    new ImprintError('usage', {
      problem,
      hint: 'Write ssh://[user@]host[:port][/directory], as in ssh://root@golden.',
    });
  if (user?.includes(':')) throw fail('A password has no place in the source; use a key, or an agent.');
  if (!/^[A-Za-z0-9][A-Za-z0-9._:%-]*$/.test(host) || (user !== undefined && !/^[\w.][\w.$+-]*$/.test(user))) {
    throw fail(`“${source}” names no machine.`);
  }
  if (port !== undefined && (port < 1 || port > 65535)) throw fail(`${port} is no port.`);
  let directory: string;
  try {
    directory = decodeURIComponent(match?.[4] ?? '/');
  } catch {
    throw fail(`The directory in “${source}” is not percent-encoded well.`);
  }
  if (/[\0\n]/.test(directory) || directory.split('/').includes('..'))
    throw fail('The directory must be absolute, without “..”.');
  return {
    ...(user === undefined ? {} : { user }),
    host,
    ...(port === undefined ? {} : { port }),
    directory: directory === '/' ? '/' : directory.replace(/\/+$/, '') || '/',
    ...(identity === undefined ? {} : { identity }),
    options,
  };
}

/** `root@golden`: for people, and what ssh is given. */
export function sshDestination(target: SshTarget): string {
  return target.user === undefined ? target.host : `${target.user}@${target.host}`;
}

/** Arguments that every call of ssh gets: no questions, no forwarding, and a dead line noticed within about 70 seconds: a golden machine that is busy, or whose disks are, may well be silent for 30. */
export function sshArguments(target: SshTarget): string[] {
  const options = [
    'BatchMode=yes',
    'ConnectTimeout=15',
    'ServerAliveInterval=10',
    'ServerAliveCountMax=6',
    'ControlPersist=no',
    'ClearAllForwardings=yes',
    'ForwardAgent=no',
    'ForwardX11=no',
    'PermitLocalCommand=no',
    'RemoteCommand=none',
    'RequestTTY=no',
    'EscapeChar=none',
  ];
  // ssh takes the first value it sees of an option: the user's come first.
  return [
    ...target.options.flatMap((option) => ['-o', option]),
    ...options.flatMap((option) => ['-o', option]),
    ...(target.identity === undefined ? [] : ['-i', target.identity, '-o', 'IdentitiesOnly=yes']),
    ...(target.port === undefined ? [] : ['-p', String(target.port)]),
  ];
}
