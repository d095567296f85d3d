import { type Clock, systemClock } from './clock.ts';
import { type ErrorValue, type ImprintError, toImprintError } from './errors.ts';

/** What `done` and `total` count. */
export type ProgressUnit = 'bytes' | 'files' | 'steps' | 'items';

/** One thing that happened in a task. `path` is the way from the task to the part of it that speaks, outermost first. */
export interface TaskEvent {
  taskId: string;
  /** Counts from 1 within the task, without gaps. */
  seq: number;
  /** Milliseconds since 1970 (UTC). */
  time: number;
  path: string[];
  kind: 'started' | 'progress' | 'log' | 'warning' | 'finished' | 'failed';
  message: string;
  done?: number;
  total?: number;
  unit?: ProgressUnit;
  error?: ErrorValue;
}

export type TaskListener = (event: TaskEvent) => void;

export interface TaskOptions {
  id?: string;
  signal?: AbortSignal;
  clock?: Clock;
  /** Progress events come at most this often, in milliseconds; the first and the last of a part always come. */
  progressInterval?: number;
}

interface Root {
  readonly id: string;
  readonly clock: Clock;
  readonly listener: TaskListener;
  readonly interval: number;
  seq: number;
}

/**
 * Long work that speaks. Whatever takes a task reports only through it and honours `signal`. Parts nest:
 * `task.part('restore', …)` opens one, runs the work, and closes it as finished or failed.
 */
export class Task {
  readonly path: readonly string[];
  readonly signal: AbortSignal;
  readonly #root: Root;
  #done = 0;
  #total: number | undefined;
  #unit: ProgressUnit | undefined;
  #lastProgress = Number.NEGATIVE_INFINITY;

  private constructor(root: Root, path: readonly string[], signal: AbortSignal) {
    this.#root = root;
    this.path = path;
    this.signal = signal;
  }

  /** Runs `work` as a task of its own; its events go to `listener`. Rejects with an ImprintError. */
  static async run<Result>(
    name: string,
    listener: TaskListener,
    work: (task: Task) => Promise<Result>,
    options: TaskOptions = {},
  ): Promise<Result> {
    const root: Root = {
      id: options.id ?? globalThis.crypto.randomUUID(),
      clock: options.clock ?? systemClock,
      listener,
      interval: options.progressInterval ?? 100,
      seq: 0,
    };
    return new Task(root, [name], options.signal ?? new AbortController().signal).#run(work);
  }

  /** A task that nobody listens to: for tests, and for work too short to speak of. */
  static silent(signal?: AbortSignal): Task {
    const root: Root = {
      id: 'silent',
      clock: systemClock,
      listener: () => {},
      interval: Number.POSITIVE_INFINITY,
      seq: 0,
    };
    return new Task(root, ['silent'], signal ?? new AbortController().signal);
  }

  get id(): string {
    return this.#root.id;
  }

  /** Runs `work` as a named part of this task. */
  part<Result>(name: string, work: (task: Task) => Promise<Result>): Promise<Result> {
    return new Task(this.#root, [...this.path, name], this.signal).#run(work);
  }

  /** Says how much there is to do in this part; may be called again when more is known. */
  expect(total: number, unit: ProgressUnit): void {
    this.#total = total;
    this.#unit = unit;
    this.#progress(true);
  }

  /** Adds to what is done. */
  advance(by: number): void {
    this.#done += by;
    this.#progress(this.#total !== undefined && this.#done >= this.#total);
  }

  log(message: string): void {
    this.#emit({ kind: 'log', message });
  }

  warn(message: string): void {
    this.#emit({ kind: 'warning', message });
  }

  async #run<Result>(work: (task: Task) => Promise<Result>): Promise<Result> {
    this.#emit({ kind: 'started', message: this.#name });
    try {
      this.signal.throwIfAborted();
      const result = await work(this);
      this.#emit({ kind: 'finished', message: this.#name, ...this.#counts() });
      return result;
    } catch (thrown) {
      const error: ImprintError = toImprintError(thrown);
      this.#emit({ kind: 'failed', message: error.message, error: error.toValue(), ...this.#counts() });
      throw error;
    }
  }

  get #name(): string {
    return this.path.at(-1) ?? '';
  }

  #counts(): Pick<TaskEvent, 'done' | 'total' | 'unit'> {
    if (this.#unit === undefined || this.#total === undefined) return {};
    return { done: this.#done, total: this.#total, unit: this.#unit };
  }

  #progress(always: boolean): void {
    const now = this.#root.clock.now();
    if (!always && now - this.#lastProgress < this.#root.interval) return;
    this.#lastProgress = now;
    this.#emit({ kind: 'progress', message: this.#name, ...this.#counts() });
  }

  #emit(event: Omit<TaskEvent, 'taskId' | 'seq' | 'time' | 'path'>): void {
    const root = this.#root;
    root.seq += 1;
    root.listener({ taskId: root.id, seq: root.seq, time: root.clock.now(), path: [...this.path], ...event });
  }
}
