import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { ImprintError } from '../foundation/errors.ts';
import { shellWord } from '../machine/golden-questions.ts';
import { isThere } from '../store/directory-files.ts';
import type { Processes, RunningProcess } from './run.ts';
import { type SshTarget, sshArguments, sshDestination } from './ssh-target.ts';

/** A command on the other side. */
export interface RemoteCommand {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Its exit status and the end of what it said on stderr. Rejects with `golden-lost` or `interrupted`. */
  readonly ended: Promise<{ status: number; stderr: string }>;
  stop(): Promise<void>;
}

/** One login that many commands share; closed by disposing of it. */
export interface SshConnection extends AsyncDisposable {
  /** `root@golden`, for people. */
  readonly destination: string;
  /** Runs a shell line (`sh -c`) there. */
  start(line: string): RemoteCommand;
  /** Runs a shell script with arguments there and returns what it wrote, as latin1 of the bytes. */
  script(text: string, args: readonly string[], limitSeconds: number): Promise<string>;
}

const everyStatus = Array.from({ length: 256 }, (_, status) => status);
/** ssh's own status for “the connection failed”. */
const sshFailed = 255;

/**
 * Logs in, with one master connection in a private directory that all commands go through.
 *
 * @param asRoot put before each command, such as `sudo -n`
 * Errors: `golden-unreachable` (also for a refused key or an unknown host key), `tool-missing`, `interrupted`; later, of every
 * command, `golden-lost`.
 */
export async function openSsh(target: SshTarget, processes: Processes, signal: AbortSignal): Promise<SshConnection> {
  const destination = sshDestination(target);
  // The path of a socket may have 107 bytes only; some temporary directories are longer than that by themselves.
  const parent = tmpdir().length > 60 ? '/tmp' : tmpdir();
  const directory = await mkdtemp(join(parent, 'imprint-ssh-'));
  const socket = join(directory, 'master');
  const master = processes.start(
    'ssh',
    [
      ...sshArguments(target),
      ...['ControlMaster=yes', 'LogLevel=INFO'].flatMap((option) => ['-o', option]),
      '-S',
      socket,
      '--',
      destination,
      // It reads what we never write, and so ends with us, however we end.
      "sh -c 'exec cat > /dev/null'",
    ],
    { signal, accept: everyStatus },
  );
  master.stdout.resume();
  let over: string | undefined;
  const watched = master.ended.then(
    ({ stderr, status }) => {
      over = reason(stderr) || `ssh ended with status ${status}`;
    },
    (error: unknown) => {
      over = error instanceof Error ? error.message : String(error);
      throw error;
    },
  );
  watched.catch(() => {});
  const close = async () => {
    await master.stop();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    while (!(await isThere(socket))) {
      await Promise.race([watched, delay(30)]);
      if (over !== undefined) throw new ImprintError('golden-unreachable', { host: destination, problem: over });
    }
  } catch (error) {
    await close();
    throw error;
  }

  const start = (line: string): RemoteCommand => {
    // Without its master ssh would log in by itself, with other options: a proxy that fails keeps it from that.
    const args = [
      '-o',
      'ProxyCommand=false',
      ...sshArguments(target),
      '-o',
      'ControlMaster=no',
      '-o',
      'LogLevel=ERROR',
      '-S',
      socket,
    ];
    const child: RunningProcess = processes.start('ssh', [...args, '--', destination, `sh -c ${shellWord(line)}`], {
      signal,
      accept: everyStatus,
    });
    const ended = child.ended.then(async ({ status, stderr }) => {
      if (status !== sshFailed) return { status, stderr };
      // The master's own words say more than its client's; they come a moment later.
      await Promise.race([watched.catch(() => {}), delay(1000)]);
      throw new ImprintError('golden-lost', {
        host: destination,
        problem: over ?? (reason(stderr) || 'the connection ended'),
      });
    });
    ended.catch(() => {});
    const stop = () => {
      // A process counts as ended when its output was read or given up.
      child.stdout.destroy();
      return child.stop();
    };
    return { stdin: child.stdin, stdout: child.stdout, ended, stop };
  };

  return {
    destination,
    start,
    async script(text, args, limitSeconds) {
      const command = start(`exec sh -s -- ${args.map(shellWord).join(' ')}`);
      command.stdin.end(text);
      const output = collect(command.stdout);
      const limit = new AbortController();
      const late = delay(limitSeconds * 1000, 'late' as const, { signal: limit.signal }).catch(() => 'done' as const);
      const outcome = await Promise.race([command.ended, late]);
      limit.abort();
      if (outcome === 'late' || outcome === 'done') {
        await command.stop();
        throw new ImprintError('golden-lost', {
          host: destination,
          problem: `a question had no answer after ${limitSeconds} s`,
        });
      }
      return output;
    },
    [Symbol.asyncDispose]: close,
  };
}

async function collect(stream: Readable): Promise<string> {
  const parts: Buffer[] = [];
  try {
    for await (const part of stream) parts.push(Buffer.from(part));
  } catch {
    // A stream that breaks off shows in how the command ended.
  }
  return Buffer.concat(parts).toString('latin1');
}

/** The last line of what ssh said that tells why. */
function reason(stderr: string): string {
  const lines = stderr.split(/\r?\n/).map((line) => line.trim());
  const telling = lines.filter(
    (line) => line !== '' && !/^(@+|It is|Someone|Warning|Please|Offending|Add )/.test(line),
  );
  return (telling.at(-1) ?? '').replace(/\.$/, '');
}
