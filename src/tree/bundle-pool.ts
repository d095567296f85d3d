import { Worker } from 'node:worker_threads';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import type { BundleAnswer, BundleJob, BundleWorkerData } from './bundle-message.ts';
import { endWorkers } from './end-workers.ts';
import { workerArguments, workerUrl } from './worker-url.ts';

/** Results that may wait for one before them, for each thread. */
const ahead = 3;

/** Threads that compress the frames of a bundle; results come in the order of the jobs. */
export class BundlePool implements AsyncDisposable {
  readonly #workers: { worker: Worker; job: number | undefined }[] = [];
  readonly #stopped = new SharedArrayBuffer(4);
  readonly #results = new Map<number, Uint8Array<ArrayBuffer>[]>();
  #failure: { error: unknown } | undefined;
  #wake = Promise.withResolvers<void>();

  constructor(data: BundleWorkerData, threads: number) {
    for (let index = 0; index < threads; index += 1) {
      const worker = new Worker(workerUrl('bundle-worker'), { workerData: data, execArgv: [...workerArguments] });
      const place: { worker: Worker; job: number | undefined } = { worker, job: undefined };
      worker.on('message', (answer: BundleAnswer) => {
        if (answer.kind === 'failed') return this.#fail(ImprintError.fromValue(answer.error));
        place.job = undefined;
        this.#results.set(answer.id, answer.frames);
        this.#wake.resolve();
      });
      worker.on('error', (error) => this.#fail(toImprintError(error)));
      this.#workers.push(place);
    }
  }

  /** The frames of each job, in order. Throws what a thread threw, or the signal's reason. */
  async *run(jobs: Iterable<Omit<BundleJob, 'id'>>, signal: AbortSignal): AsyncGenerator<Uint8Array<ArrayBuffer>[]> {
    const abort = () => this.#fail(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    const waiting = jobs[Symbol.iterator]();
    let given = 0;
    let taken = 0;
    let ended = false;
    try {
      for (;;) {
        signal.throwIfAborted();
        for (const place of this.#workers) {
          if (ended || place.job !== undefined || given - taken >= ahead * this.#workers.length) continue;
          const next = waiting.next();
          ended = next.done === true;
          if (next.done === true) break;
          place.job = given;
          place.worker.postMessage({ ...next.value, id: given } satisfies BundleJob);
          given += 1;
        }
        const frames = this.#results.get(taken);
        if (frames !== undefined) {
          this.#results.delete(taken);
          taken += 1;
          yield frames;
        } else if (ended && taken === given) return;
        else await this.#woken();
      }
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endWorkers(
      this.#workers.map(({ worker }) => worker),
      this.#stopped,
    );
  }

  async #woken(): Promise<void> {
    if (this.#failure === undefined) await this.#wake.promise;
    this.#wake = Promise.withResolvers();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake.resolve();
  }
}
