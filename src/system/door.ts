import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { ImprintError } from '../foundation/errors.ts';
import { doorToken, opensshKey, publicKeyOf } from '../machine/door-key.ts';
import { isThere } from '../store/directory-files.ts';
import type { Processes } from './run.ts';

export interface DoorOptions {
  processes: Processes;
  port: number;
  /** Seconds in which the door must be used; then it closes. */
  seconds: number;
  signal: AbortSignal;
}

/** An ssh server of its own that lets one connection in, once. */
export interface Door extends AsyncDisposable {
  readonly token: string;
  /** The address of whoever came in, once somebody has; undefined when the time was over first. */
  readonly used: Promise<string | undefined>;
  /** Settles when the connection that came in has ended. */
  readonly over: Promise<void>;
}

const sshdPlaces = ['/usr/sbin/sshd', '/usr/bin/sshd', '/usr/local/sbin/sshd'];
/** A connection may last so long at most; a capture of terabytes is done by then. */
const longestUse = 24 * 3600;

/** Run for every command that comes in: only one connection ever gets through, and the first ends the listening. */
const gatekeeper = `#!/bin/sh
door=$1
(set -C; echo "$SSH_CONNECTION" > "$door/used") 2>/dev/null
if [ "$(cat "$door/used")" != "$SSH_CONNECTION" ]; then echo 'This door has been used already.' >&2; exit 1; fi
exec sh -c "$SSH_ORIGINAL_COMMAND"
`;

/**
 * Guards the server: `guard DIR SECONDS USE SSHD`. Ends it when its own standard input ends (whoever opened the door is gone), when
 * nobody came in time, and when the one connection has ended. Says `used ADDRESS`.
 */
const guard = `
door=$1; left=$2; use=$3; sshd=$4
"$sshd" -D -e -f "$door/sshd_config" > "$door/log" 2>&1 < /dev/null 3<&- &
server=$!
( read -r word <&3; kill $$ ) > /dev/null 2>&1 &
reader=$!
children() { cat /proc/$1/task/*/children 2>/dev/null; }
# The processes of a connection, from the server's own child downwards.
finish() {
  trap '' TERM
  all=
  next=$(children $server)
  while [ -n "$next" ]; do
    all="$all $next"; these=$next; next=
    for pid in $these; do next="$next $(children $pid)"; done
    next=$(echo $next)
  done
  kill $server $all $reader 2>/dev/null
  sleep 1
  kill -9 $server $all 2>/dev/null
  rm -f "$door"/*; rmdir "$door"
  exit 0
}
trap finish TERM INT HUP
echo opened
while [ $left -gt 0 ] && [ ! -s "$door/used" ]; do
  kill -0 $server 2>/dev/null || { echo "failed $(tail -n 1 "$door/log")"; finish; }
  sleep 1; left=$((left - 1))
done
if [ -s "$door/used" ]; then
  read -r address rest < "$door/used"
  echo "used $address"
  # Nobody else may even try.
  rm -f "$door/authorized_keys"
  while [ $use -gt 0 ] && [ -n "$(children $server)" ]; do sleep 1; use=$((use - 1)); done
  echo over
else
  echo late
fi
finish
`;

/**
 * Opens a door on this machine, for root, on a port of its own. Errors: `tool-missing`, `port-in-use`, `process-failed`.
 */
export async function openDoor({ processes, port, seconds, signal }: DoorOptions): Promise<Door> {
  const sshd = await findSshd();
  await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
  await mkdir('/run/imprint', { recursive: true, mode: 0o700 });
  const directory = await mkdtemp('/run/imprint/door-');
  const [seed, hostSeed] = [randomBytes(32), randomBytes(32)];
  const write = (name: string, text: string, mode = 0o600) => writeFile(join(directory, name), text, { mode });
  await write('host_key', opensshKey(hostSeed).privateKey);
  await write('authorized_keys', `restrict ${opensshKey(seed).publicKey} imprint door\n`);
  await write('gatekeeper', gatekeeper, 0o700);
  await write('sshd_config', configuration(directory, port, await isThere('/etc/pam.d/sshd')));
  // Its standard input is the guard's life line: no signal, so that it ends in good order.
  const child = processes.start('sh', [
    '-c',
    `exec 3<&0 < /dev/null; ${guard}`,
    'sh',
    directory,
    String(seconds),
    String(longestUse),
    sshd,
  ]);
  const close = async () => {
    child.stdin.end();
    await child.ended.catch(() => {});
    await rm(directory, { recursive: true, force: true });
  };
  const abort = () => void close();
  signal.addEventListener('abort', abort, { once: true });
  const used = Promise.withResolvers<string | undefined>();
  let failure: string | undefined;
  const listening = (async () => {
    let rest = '';
    for await (const piece of child.stdout) {
      const lines = (rest + Buffer.from(piece).toString('latin1')).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line.startsWith('used ')) used.resolve(line.slice('used '.length));
        if (line.startsWith('failed ')) failure = line.slice('failed '.length);
      }
    }
  })().catch(() => {});
  const over = Promise.all([listening, child.ended.catch(() => {})]).then(() => used.resolve(undefined));
  try {
    while (!(await answers(port))) {
      signal.throwIfAborted();
      if (failure !== undefined) {
        throw new ImprintError('port-in-use', { address: `port ${port}`, problem: failure });
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    token: doorToken({ seed, host: publicKeyOf(hostSeed) }),
    used: used.promise,
    over,
    async [Symbol.asyncDispose]() {
      signal.removeEventListener('abort', abort);
      await close();
    },
  };
}

function configuration(directory: string, port: number, pam: boolean): string {
  const lines = [
    `Port ${port}`,
    `HostKey ${join(directory, 'host_key')}`,
    `AuthorizedKeysFile ${join(directory, 'authorized_keys')}`,
    `PidFile ${join(directory, 'pid')}`,
    `ForceCommand /bin/sh ${join(directory, 'gatekeeper')} ${directory}`,
    // With PAM a root account without a password is let in by its key all the same.
    `UsePAM ${pam ? 'yes' : 'no'}`,
    ...['AllowUsers root', 'PermitRootLogin prohibit-password', 'PubkeyAuthentication yes'],
    ...['PasswordAuthentication no', 'KbdInteractiveAuthentication no', 'StrictModes no', 'PermitUserRC no'],
    ...['DisableForwarding yes', 'PermitTTY no', 'PrintMotd no', 'UseDNS no', 'LogLevel VERBOSE'],
    ...['MaxStartups 4', 'MaxAuthTries 3', 'LoginGraceTime 20', 'ClientAliveInterval 15', 'ClientAliveCountMax 4'],
  ];
  return `${lines.join('\n')}\n`;
}

async function findSshd(): Promise<string> {
  for (const place of sshdPlaces) if (await isThere(place)) return place;
  throw new ImprintError('tool-missing', { tool: 'sshd', package: 'openssh-server' });
}

/** Whether an ssh server answers on a port of this machine. */
async function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const done = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1000, () => done(false));
    socket.once('data', (data) => done(data.toString('latin1').startsWith('SSH-')));
    socket.once('error', () => done(false));
  });
}
