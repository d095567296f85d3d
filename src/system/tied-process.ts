import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { ImprintError } from '../foundation/errors.ts';
import { type AttachedStream, commandLine, type Processes } from './run.ts';

/** Where the program's words go. */
export interface TiedOptions {
  streams: readonly [AttachedStream, AttachedStream, AttachedStream];
  /** Told every line of those streams that are pipes. */
  onLine?: (line: string) => void;
  /** Beside the environment of this process. */
  env?: Readonly<Record<string, string>>;
  signal?: AbortSignal;
}

/**
 * Arguments of `setpriv` that run a program in a namespace of processes and mounts of its own: it, all that it started and all that it mounted end when this
 * process does, however that ends.
 */
export function tied(namespaces: readonly string[], command: readonly string[]): string[] {
  // Killed with us; and if we are gone before it could ask for that, it ends by itself. What this machine unmounts shall go in there, too; in a
  // chroot that is no mount point there is nothing to say so of.
  const guard = `[ "$PPID" = "$1" ] || exit 125
shift
if unshare --mount --propagation slave true 2> /dev/null; then follow=slave; else follow=unchanged; fi
exec unshare --propagation $follow "$@"`;
  const own = ['--mount', '--pid', '--fork', '--kill-child=KILL', ...namespaces];
  return ['--pdeathsig', 'KILL', 'sh', '-c', guard, 'guard', String(process.pid), ...own, ...command];
}

/** Runs a program that must not outlive this process. Errors: `tool-missing`, `process-failed`, `interrupted`. */
export async function runTied(
  processes: Processes,
  tool: string,
  args: readonly string[],
  options: TiedOptions,
): Promise<void> {
  const environment = Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const env = { ...Object.fromEntries(environment), LC_ALL: 'C', ...options.env };
  const { ended, pipes } = processes.attach('setpriv', tied(['--mount-proc'], [tool, ...args]), {
    streams: options.streams,
    env: { ...env, PATH: `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin` },
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  const [status] = await Promise.all([ended, tellLines(pipes, options.onLine)]);
  options.signal?.throwIfAborted();
  if (status === 0) return;
  const missing = status === 127;
  throw new ImprintError('process-failed', {
    command: commandLine(tool, args),
    status: `status ${status}`,
    stderr: missing ? `is ${tool} installed?` : 'what it said stands above',
  });
}

/** Tells `onLine` what a process says on its standard output and error, until it has closed both. */
export async function tellLines(pipes: ReadonlyMap<number, Readable>, onLine?: (line: string) => void): Promise<void> {
  const said = [1, 2].flatMap((number) => pipes.get(number) ?? []);
  await Promise.all(
    said.map(async (input) => {
      for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
        // Of a line that was drawn over itself, what stood there last.
        const last = line.split('\r').findLast((part) => part.trim() !== '');
        if (last !== undefined) onLine?.(last.trimEnd());
      }
    }),
  );
}
