import { Worker } from 'node:worker_threads';
import type { RawPath } from '../foundation/brand.ts';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import type { ContentSource } from '../store/store.ts';
import { endWorkers } from './end-workers.ts';
import type { RestoreAnswer, RestoreUnit, RestoreWorkerData } from './restore-message.ts';
import type { RestorePlan } from './restore-plan.ts';
import type { RestoreUnits } from './restore-units.ts';
import type { Creator } from './set-attributes.ts';
import { workerArguments, workerUrl } from './worker-url.ts';

export interface RestorePoolOptions {
  store: ContentSource;
  task: Task;
  plan: RestorePlan;
  units: RestoreUnits;
  target: RawPath;
  creator: Creator;
  workers: number;
}

/** Units that a thread has at once: one that it works on, one that waits for it. */
const unitsPerWorker = 2;

/** Threads that write units; units are read ahead where threads cannot read the packs by themselves. */
export class RestorePool implements AsyncDisposable {
  readonly #options: RestorePoolOptions;
  readonly #workers: Worker[] = [];
  readonly #shares: UnitShares;
  readonly #warnings: string[] = [];
  readonly #remaining: SharedArrayBuffer;
  readonly #stopped = new SharedArrayBuffer(4);
  readonly #done = Promise.withResolvers<void>();
  readonly #abort = () => this.#fail(this.#options.task.signal.reason);
  #finished = 0;
  #failed = false;

  constructor(options: RestorePoolOptions) {
    this.#options = options;
    this.#remaining = countUnits(options.units);
    this.#shares = new UnitShares(options.units.units.length, options.workers);
    this.#done.promise.catch(() => {});
    options.task.signal.addEventListener('abort', this.#abort, { once: true });
  }

  /** Writes all units; gives the warnings. */
  async run(): Promise<string[]> {
    const { units, workers } = this.#options;
    const total = units.units.length;
    if (total === 0) return [];
    this.#options.task.signal.throwIfAborted();
    for (let index = 0; index < Math.min(workers, total); index += 1) this.#start();
    for (let round = 0; round < unitsPerWorker; round += 1) {
      for (const index of this.#workers.keys()) this.#give(index);
    }
    await this.#done.promise;
    return this.#warnings;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#options.task.signal.removeEventListener('abort', this.#abort);
    this.#failed = true;
    await endWorkers(this.#workers, this.#stopped);
  }

  #start(): void {
    const { store, target, creator } = this.#options;
    const workerData: RestoreWorkerData = {
      store: store.location,
      target,
      ...creator,
      remaining: this.#remaining,
      stopped: this.#stopped,
    };
    const worker = new Worker(workerUrl('restore-worker'), {
      workerData,
      execArgv: [...workerArguments],
      resourceLimits: { maxYoungGenerationSizeMb: 8 },
    });
    const index = this.#workers.length;
    worker.on('message', (answer: RestoreAnswer) => this.#receive(answer, index));
    worker.on('error', (error) => this.#fail(error));
    worker.on('exit', () => this.#fail(new ImprintError('internal', { problem: 'a thread ended too early' })));
    this.#workers.push(worker);
  }

  /** Gives a thread the next unit, if there is one. */
  #give(index: number): void {
    const id = this.#failed ? undefined : this.#shares.take(index);
    if (id === undefined) return;
    this.#source(id).then(
      (source) => {
        if (this.#failed) return;
        const message = this.#options.units.message(id, source);
        this.#workers[index]?.postMessage(message, 'bytes' in source ? transferable(source.bytes) : []);
      },
      (error) => this.#fail(error),
    );
  }

  async #source(id: number): Promise<RestoreUnit['source']> {
    const { store, plan, units } = this.#options;
    const { pack, offset, length } = units.units[id] ?? { pack: 0, offset: 0, length: 0 };
    const name = plan.packs[pack] ?? '';
    const path = store.packFile(name);
    if (path !== undefined) return { path, offset, length };
    return { bytes: await store.readPack(name, offset, length) };
  }

  #receive(answer: RestoreAnswer, index: number): void {
    if (answer.kind === 'failed') {
      this.#fail(ImprintError.fromValue(answer.error));
      return;
    }
    this.#finished += 1;
    this.#warnings.push(...answer.warnings);
    this.#options.task.advance(answer.bytes);
    if (this.#finished === this.#options.units.units.length) this.#done.resolve();
    else this.#give(index);
  }

  #fail(thrown: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#done.reject(toImprintError(thrown));
  }
}

/**
 * Who does which unit: each thread has a run of its own, so that two seldom make files in one directory (the kernel lets one
 * at a time, and the other spins); who is done helps where most is left.
 */
class UnitShares {
  readonly #shares: { next: number; end: number }[];

  constructor(units: number, workers: number) {
    const at = (index: number) => Math.floor((units * index) / workers);
    this.#shares = Array.from({ length: workers }, (_, index) => ({ next: at(index), end: at(index + 1) }));
  }

  take(worker: number): number | undefined {
    const own = this.#shares[worker];
    if (own !== undefined && own.next < own.end) {
      own.next += 1;
      return own.next - 1;
    }
    const most = this.#shares.reduce((left, right) => (right.end - right.next > left.end - left.next ? right : left));
    if (most.next >= most.end) return undefined;
    most.end -= 1;
    return most.end;
  }
}

/** How many units each shared file waits for, where all threads see it. */
function countUnits({ shared }: RestoreUnits): SharedArrayBuffer {
  const remaining = new SharedArrayBuffer(Math.max(1, shared.size) * 4);
  const rows = new Int32Array(remaining);
  for (const { row, units } of shared.values()) rows[row] = units;
  return remaining;
}

/** The memory of bytes that are all of it; others are copied. */
function transferable(bytes: Uint8Array): ArrayBuffer[] {
  const { buffer } = bytes;
  return buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength ? [buffer] : [];
}
