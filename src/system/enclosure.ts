import { text } from 'node:stream/consumers';
import { ImprintError } from '../foundation/errors.ts';
import { enclosureScript } from './enclosure-script.ts';
import type { AttachedStream, Processes } from './run.ts';
import { tellLines, tied } from './tied-process.ts';

/** A tree to work in as in a machine that runs. */
export interface Enclosure {
  /** Absolute path of the tree's root; it has the mount points (`enclosure-points.ts`). */
  root: string;
  /** Where its `resolv.conf` lies, and where a `policy-rc.d` goes; relative to the root. */
  resolvConf?: string;
  policy?: string;
  /** What `hostname` says in it. */
  hostName: string;
}

export interface EnclosedCommand {
  command: readonly [string, ...string[]];
  /** Its whole environment, beside `PATH`. */
  env: Readonly<Record<string, string>>;
  /** Standard input, output and error. */
  streams: readonly [AttachedStream, AttachedStream, AttachedStream];
  /** Told every line of those streams that are pipes. */
  onLine?: (line: string) => void;
  /** A file with a lock: it stays open, and so locked, as long as anything of the enclosure lives. */
  lock: number;
  /** Kills all that runs in it. */
  signal?: AbortSignal;
}

const innerPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const namespaces = ['--uts', '--ipc'];

/**
 * Runs a command inside a tree, in namespaces of its own (mounts, processes, host name, IPC): `/proc`, `/sys`, `/dev` and `/run` are there, names
 * are resolved, no service starts, no disk can be reached. All of it ends with the command, and with this process, however that ends: the kernel
 * kills what is in the namespace with its process 1, and the mounts go with the last of them.
 *
 * @returns the command's exit status; 127 where the tree has no such program
 * Errors: `tool-missing`, `process-failed` where the mounts cannot be made.
 */
export async function runEnclosed(processes: Processes, enclosure: Enclosure, run: EnclosedCommand): Promise<number> {
  const { root, resolvConf = '', policy = '', hostName } = enclosure;
  // By the environment: whoever looks at the list of processes in there shall not find a page of shell in it.
  const inner = [
    'sh',
    '-c',
    'eval "$imprint_enclosure"',
    'imprint',
    root,
    resolvConf,
    policy,
    hostName,
    ...run.command,
  ];
  const attached = processes.attach('setpriv', tied(namespaces, inner), {
    streams: [...run.streams, 'pipe', run.lock],
    env: { PATH: innerPath, ...run.env, imprint_enclosure: enclosureScript },
    ...(run.signal === undefined ? {} : { signal: run.signal }),
  });
  const pipe = attached.pipes.get(3);
  const [status, said] = await Promise.all([
    attached.ended,
    pipe === undefined ? '' : text(pipe).catch(() => ''),
    tellLines(attached.pipes, run.onLine),
  ]);
  run.signal?.throwIfAborted();
  if (said.endsWith('imprint-ready\n')) return status;
  throw new ImprintError('process-failed', {
    command: 'unshare --mount --pid --uts --ipc',
    status: `status ${status}`,
    stderr: said.trim() || 'the namespaces could not be made',
  });
}
