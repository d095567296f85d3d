import { type StdioOptions, spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { execa, type Options } from 'execa';
import { ImprintError } from '../foundation/errors.ts';
import { packageOf } from './tool-packages.ts';

/** How a process is to be run. */
export interface ProcessOptions {
  /** Written to its standard input, which is then closed; absent: it has none. */
  input?: string | Uint8Array;
  /** Ends the process; the call then rejects with `interrupted`. */
  signal?: AbortSignal;
  /** Milliseconds after which it is ended and the call rejects with `process-failed`. Absent: no limit. */
  timeout?: number;
  cwd?: string;
  /** Beside the environment of this process; `LC_ALL=C` always. */
  env?: Readonly<Record<string, string>>;
  /** Exit statuses that are no failure. Default: only 0. */
  accept?: readonly number[];
  /** It goes on when this process ends. */
  stays?: true;
  /** Words that must not show in an error message: passwords, tokens. */
  secrets?: readonly string[];
}

/** What a process left behind. */
export interface ProcessResult {
  stdout: string;
  stderr: string;
  status: number;
}

/** A process that runs beside us: its streams are the caller's to read, and must be read. */
export interface RunningProcess {
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Settles when it has ended: as `run` would. `stdout` is empty, `stderr` holds its last 8 KiB. */
  readonly ended: Promise<ProcessResult>;
  /** Asks it to end (SIGTERM), and after five seconds makes it. */
  stop(): Promise<void>;
}

/** What one stream of an attached process is: ours, nothing, a pipe to us, or a file that is open here. */
export type AttachedStream = 'inherit' | 'ignore' | 'pipe' | number;

export interface AttachOptions {
  /** Its streams from number 0 on. */
  streams: readonly AttachedStream[];
  /** Its whole environment. */
  env: Readonly<Record<string, string>>;
  /** Kills it (SIGKILL): it is ours no longer to ask. */
  signal?: AbortSignal;
}

/** A process that has our terminal, or whatever else it was given. */
export interface AttachedProcess {
  readonly pid: number;
  /** Those of its streams that are pipes from it to us. They must be read. */
  readonly pipes: ReadonlyMap<number, Readable>;
  /** Its exit status when it has ended; 128 and the signal's number where it was killed. Rejects with `tool-missing`. */
  readonly ended: Promise<number>;
}

/**
 * The only way to a process. Arguments are always an array, never a shell's line.
 *
 * Errors: `tool-missing` (with the package to install), `process-failed` (the command line without secrets, its status, and the end of
 * what it said), `interrupted`.
 */
export interface Processes {
  run(tool: string, args: readonly string[], options?: ProcessOptions): Promise<ProcessResult>;
  start(tool: string, args: readonly string[], options?: Omit<ProcessOptions, 'timeout'>): RunningProcess;
  /** A process that people talk to, or whose streams are files. */
  attach(tool: string, args: readonly string[], options: AttachOptions): AttachedProcess;
}

/** Real processes of this machine. Tests that may not start any take `fakeProcesses` of `tests/fake-processes.ts`. */
export const systemProcesses: Processes = { run, start, attach };

const stderrKept = 8192;
const stopPatience = 5000;

async function run(tool: string, args: readonly string[], options: ProcessOptions = {}): Promise<ProcessResult> {
  const result = await execa(tool, args, { ...execaOptions(options), ...input(options.input) });
  return settle(tool, args, options, {
    ...result,
    stdout: typeof result.stdout === 'string' ? result.stdout : '',
    stderr: typeof result.stderr === 'string' ? result.stderr : '',
  });
}

function start(tool: string, args: readonly string[], options: ProcessOptions = {}): RunningProcess {
  const child = execa(tool, args, { ...execaOptions(options), buffer: false, stdin: 'pipe' });
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null) throw new Error('a child without its streams');
  if (options.input !== undefined) stdin.end(options.input);
  // A child that dies while we write to it shows in `ended`; its broken pipe must not end this process.
  stdin.on('error', () => {});
  let said = '';
  stderr.on('data', (piece: Uint8Array) => {
    said = (said + Buffer.from(piece).toString('utf8')).slice(-stderrKept);
  });
  const ended = child.then((result) => settle(tool, args, options, { ...result, stdout: '', stderr: said }));
  ended.catch(() => {});
  const stop = async () => {
    child.kill('SIGTERM');
    await ended.catch(() => {});
  };
  return { pid: child.pid ?? 0, stdin, stdout, stderr, ended, stop };
}

function attach(tool: string, args: readonly string[], options: AttachOptions): AttachedProcess {
  const { streams, env, signal } = options;
  const child = spawn(tool, args, { stdio: [...streams] as StdioOptions, env: { ...env }, cwd: '/' });
  const pipes = new Map<number, Readable>();
  child.stdio.forEach((stream, number) => {
    if (stream !== null && stream !== undefined && number !== 0) pipes.set(number, stream as Readable);
  });
  const kill = () => void child.kill('SIGKILL');
  if (signal?.aborted) kill();
  signal?.addEventListener('abort', kill, { once: true });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      const missing = error.code === 'ENOENT' && child.pid === undefined;
      reject(missing ? new ImprintError('tool-missing', { tool, package: packageOf(tool) }) : error);
    });
    child.once('exit', (status, ending) => resolve(status ?? 128 + (ending === null ? 0 : constants.signals[ending])));
  }).finally(() => signal?.removeEventListener('abort', kill));
  ended.catch(() => {});
  return { pid: child.pid ?? 0, pipes, ended };
}

function execaOptions(options: ProcessOptions) {
  return {
    ...(options.stays && { cleanup: false }),
    reject: false,
    stripFinalNewline: false,
    forceKillAfterDelay: stopPatience,
    // Disk tools live in sbin, which is not on every caller's path.
    env: { PATH: `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`, LC_ALL: 'C', ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
    ...(options.timeout === undefined ? {} : { timeout: options.timeout }),
  } as const satisfies Options;
}

function input(given: string | Uint8Array | undefined) {
  return given === undefined ? ({ stdin: 'ignore' } as const) : ({ input: given } as const);
}

interface Ending {
  exitCode?: number | undefined;
  signal?: string | undefined;
  isCanceled: boolean;
  timedOut: boolean;
  code?: string | undefined;
  shortMessage?: string | undefined;
  stdout: string;
  stderr: string;
}

function settle(tool: string, args: readonly string[], options: ProcessOptions, ending: Ending): ProcessResult {
  const { exitCode, stdout, stderr } = ending;
  if (ending.isCanceled) throw new ImprintError('interrupted', {});
  if (exitCode !== undefined && (options.accept ?? [0]).includes(exitCode)) return { stdout, stderr, status: exitCode };
  if (ending.code === 'ENOENT' && exitCode === undefined) {
    throw new ImprintError('tool-missing', { tool, package: packageOf(tool) });
  }
  const status = ending.timedOut
    ? `no end after ${Math.round((options.timeout ?? 0) / 1000)} s`
    : exitCode !== undefined
      ? `status ${exitCode}`
      : ending.signal !== undefined
        ? `ended by ${ending.signal}`
        : 'could not be started';
  const said = lastLines(stderr) || lastLines(stdout) || ending.shortMessage || 'it said nothing';
  throw new ImprintError('process-failed', {
    command: withoutSecrets(commandLine(tool, args), options.secrets),
    status,
    stderr: withoutSecrets(said, options.secrets),
  });
}

/** A command as a person would type it. */
export function commandLine(tool: string, args: readonly string[]): string {
  const quote = (word: string) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);
  return [tool, ...args].map(quote).join(' ');
}

function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-6).join('\n').slice(-1500).trim();
}

function withoutSecrets(text: string, secrets: readonly string[] = []): string {
  return secrets.filter((secret) => secret !== '').reduce((rest, secret) => rest.replaceAll(secret, '…'), text);
}
