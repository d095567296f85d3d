import { type Clock, systemClock } from '../foundation/clock.ts';
import { ImprintError } from '../foundation/errors.ts';
import { Task, type TaskEvent } from '../foundation/task.ts';
import type { Context } from '../operations/context.ts';
import { type DataPaths, dataPaths, defaultDataDirectory } from '../operations/data-paths.ts';
import { openProgress, type ProgressRenderer } from './progress.ts';
import type { ServerClient } from './server-client.ts';
import type { Terminal } from './terminal.ts';

/** What stands before or behind every command. */
export interface GlobalOptions {
  json: boolean;
  dryRun: boolean;
  yes: boolean;
  quiet: boolean;
  debug: boolean;
  server?: string;
  token?: string;
  store?: string;
  trust?: string;
  data: string;
}

/** The server's own entry, given by the composition root: the command line imports nothing of the server. */
export interface ServeOptions {
  data: string;
  store?: string;
  trust?: string;
  listen?: string;
  url?: string;
  netboot?: string;
  proxyDhcp: boolean;
  dhcpRange?: string;
  allowForeignDhcp: boolean;
  json: boolean;
  quiet: boolean;
  debug: boolean;
  signal: AbortSignal;
  /** Lines for people: where it listens, the token at its first start. */
  announce(line: string): void;
}

export interface Entries {
  serve(options: ServeOptions): Promise<void>;
  /** Until the signal ends it. */
  agent(signal: AbortSignal): Promise<void>;
}

export interface SessionOptions {
  globals: GlobalOptions;
  stdout: Terminal;
  stderr: Terminal;
  stdin: { isTTY?: boolean };
  signal: AbortSignal;
  environment: NodeJS.ProcessEnv;
  entries: Entries;
  clock?: Clock;
}

/** One run of one command: the options of the whole program, the two streams, and the ways to everything else. */
export class Session {
  readonly globals: GlobalOptions;
  readonly stdout: Terminal;
  readonly stderr: Terminal;
  readonly signal: AbortSignal;
  readonly environment: NodeJS.ProcessEnv;
  readonly entries: Entries;
  readonly clock: Clock;
  readonly paths: DataPaths;
  /** Set by commands that run until they are interrupted: their end needs no words. */
  endsByInterrupt = false;
  readonly #stdinIsTerminal: boolean;
  readonly #warned = new Set<string>();
  #progress: ProgressRenderer | undefined;
  #context: Context | undefined;

  constructor(options: SessionOptions) {
    this.globals = options.globals;
    this.stdout = options.stdout;
    this.stderr = options.stderr;
    this.signal = options.signal;
    this.environment = options.environment;
    this.entries = options.entries;
    this.clock = options.clock ?? systemClock;
    this.paths = dataPaths(options.globals.data);
    this.#stdinIsTerminal = options.stdin.isTTY === true;
  }

  /** True where a person can be asked. */
  get canAsk(): boolean {
    return this.#stdinIsTerminal && this.stderr.interactive && !this.globals.json;
  }

  /** The result: one JSON value with `--json`, else text for people. */
  result(value: unknown, words: () => string): void {
    this.closeProgress();
    if (this.globals.json) this.stdout.write(`${JSON.stringify(value)}\n`);
    else this.stdout.write(this.stdout.plain(words()));
  }

  /** A remark beside the result: to stderr, and not at all with `--quiet` or `--json`. */
  say(text: string): void {
    if (this.globals.quiet || this.globals.json) return;
    this.closeProgress();
    this.stderr.write(`${this.stderr.plain(text)}\n`);
  }

  /** A warning beside the result, each once: to stderr, with `--quiet` too; with `--json` it has no place there. */
  warn(text: string): void {
    if (this.globals.json || this.#warned.has(text)) return;
    this.#warned.add(text);
    this.closeProgress();
    this.stderr.write(`${this.stderr.plain(`imprint: ${text}`)}\n`);
  }

  /** Runs `work` as a task that the terminal shows; interrupting the command aborts it. */
  async task<Result>(name: string, work: (task: Task) => Promise<Result>): Promise<Result> {
    const progress = this.progress();
    try {
      return await Task.run(name, (event: TaskEvent) => progress.show(event), work, {
        signal: this.signal,
        clock: this.clock,
      });
    } finally {
      this.closeProgress();
    }
  }

  progress(errors = false): ProgressRenderer {
    const { json, quiet } = this.globals;
    this.#progress ??= openProgress(this.stderr, { json, quiet, clock: this.clock, errors });
    return this.#progress;
  }

  closeProgress(): void {
    this.#progress?.close();
    this.#progress = undefined;
  }

  /** What operations work with, put together when it is first asked for; `close` takes it apart. */
  async context(): Promise<Context> {
    if (this.#context === undefined) {
      const { createContext } = await import('../operations/context.ts');
      const { silentLog } = await import('../operations/log.ts');
      const { data, store, trust } = this.globals;
      this.#context = createContext({
        data,
        log: silentLog,
        clock: this.clock,
        warn: (message) => this.warn(message),
        ...(trust === undefined ? {} : { trust }),
        ...(store === undefined ? {} : { store }),
      });
    }
    return this.#context;
  }

  async close(): Promise<void> {
    this.closeProgress();
    await this.#context?.[Symbol.asyncDispose]();
    this.#context = undefined;
  }

  /** The server that is named, or the one that runs on this machine's data directory. Throws `server-unreachable`. */
  async server(): Promise<ServerClient> {
    const client = await this.findServer();
    if (client !== undefined) return client;
    throw new ImprintError('server-unreachable', {
      server: 'of this machine',
      problem: `none runs on ${this.paths.data}`,
    });
  }

  /** The same, undefined where none is named and none runs here. */
  async findServer(): Promise<ServerClient | undefined> {
    const { findServer } = await import('./server-client.ts');
    return findServer({
      paths: this.paths,
      signal: this.signal,
      ...(this.globals.server === undefined ? {} : { url: this.globals.server }),
      ...(this.globals.token === undefined ? {} : { token: this.globals.token }),
    });
  }

  /**
   * Asks for a yes before something that cannot be taken back. `action` completes "… needs a yes". Throws
   * `confirmation-needed` where nobody can be asked, `interrupted` where the answer is no.
   */
  async confirm(action: string, question: string): Promise<void> {
    if (this.globals.yes) return;
    if (!this.canAsk) throw new ImprintError('confirmation-needed', { action });
    this.closeProgress();
    const { ask } = await import('./ask.ts');
    if (!(await ask(question, this.stderr, this.signal))) throw new ImprintError('declined', {});
  }
}

/** Global options from commander's values and the environment. */
export function readGlobals(values: Readonly<Record<string, unknown>>, environment: NodeJS.ProcessEnv): GlobalOptions {
  const text = (name: string, variable: string): string | undefined => {
    const given = values[name];
    const value = typeof given === 'string' ? given : environment[variable];
    return value === undefined || value === '' ? undefined : value;
  };
  const server = text('server', 'IMPRINT_SERVER');
  const token = text('token', 'IMPRINT_TOKEN');
  const store = text('store', 'IMPRINT_STORE');
  const trust = text('trust', 'IMPRINT_TRUST');
  return {
    json: values.json === true,
    dryRun: values.dryRun === true,
    yes: values.yes === true,
    quiet: values.quiet === true,
    debug: values.debug === true,
    ...(server === undefined ? {} : { server }),
    ...(token === undefined ? {} : { token }),
    ...(store === undefined ? {} : { store }),
    ...(trust === undefined ? {} : { trust }),
    data: text('data', 'IMPRINT_DATA') ?? defaultDataDirectory,
  };
}
