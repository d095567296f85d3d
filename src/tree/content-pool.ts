import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { RawPath } from '../foundation/brand.ts';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import type { ChunkReference } from '../image/entry.ts';
import type { StoreTransaction } from '../store/transaction.ts';
import { ClaimTable } from './claim-table.ts';
import type { ContentAnswer, ContentRequest, ContentWorkerData, StoredFiles } from './content-message.ts';
import { endWorkers } from './end-workers.ts';
import { type StoredStream, StreamCutter } from './stream-cutter.ts';
import { workerArguments, workerUrl } from './worker-url.ts';

export interface ContentPoolOptions {
  transaction: StoreTransaction;
  task: Task;
  /** Threads; default: one for each core, eight at most. */
  workers?: number;
  /** Called with the bytes of content that were dealt with. */
  onProgress?: (bytes: number) => void;
}

/** Requests that one thread is given at once: one that it works on, one that waits for it. */
const requestsPerWorker = 2;
const mostWorkers = 8;
/** Bytes of content that each thread compresses thoroughly where the store holds something already: most updates are smaller. */
const thoroughBytes = 512 << 20;

/** Opens a pool; its threads start with the first content that there is to store. */
export async function openContentPool(options: ContentPoolOptions): Promise<ContentPool> {
  // Asked once here, so that every later answer comes at once.
  await options.transaction.holds(new Uint8Array(32));
  return new ContentPool(options);
}

/**
 * Threads that store content: each reads, hashes, claims in a table shared by all, compresses and writes packs, which go to
 * the transaction as they are finished. After `finish` all is in the store. Disposing of the pool ends the threads at once.
 *
 * Errors of every method: `disk-full`, `read-only`, `io-failed`, `interrupted`; after one the pool does nothing more.
 */
export class ContentPool implements AsyncDisposable {
  readonly #options: ContentPoolOptions;
  #claims: ClaimTable | undefined;
  #thoroughly = 0;
  #claimsMade: Promise<void> | undefined;
  readonly #workers: { worker: Worker; pending: Map<number, PromiseWithResolvers<unknown>> }[] = [];
  readonly #waiting: { request: ContentRequest & { id: number }; answer: PromiseWithResolvers<unknown> }[] = [];
  readonly #cutter = new StreamCutter((bytes, lengths) => this.#storeChunks(bytes, lengths));
  readonly #room: PromiseWithResolvers<void>[] = [];
  readonly #abort = () => this.#fail(this.#options.task.signal.reason);
  #packs: Promise<void> = Promise.resolve();
  #failure: ImprintError | undefined;
  readonly #stopped = new SharedArrayBuffer(4);
  #lastId = 0;

  constructor(options: ContentPoolOptions) {
    this.#options = options;
    options.task.signal.addEventListener('abort', this.#abort, { once: true });
  }

  /** Whether the store holds the chunk (32 bytes of hash); what is still on its way there does not count. */
  has(hash: Uint8Array): boolean {
    return this.#options.transaction.holds(hash) === true;
  }

  /** The table of all chunks, made when there is the first content to store: capturing what did not change needs none. */
  async #makeClaims(): Promise<void> {
    const known = asWords(await this.#options.transaction.knownChunks());
    const claims = ClaimTable.create(known.length / 8);
    for (let at = 0; at < known.length; at += 8) claims.claim(known.subarray(at, at + 8));
    this.#claims = claims;
    if (known.length > 0) this.#thoroughly = thoroughBytes;
  }

  /** Resolves when another request would not have to wait long: what to await before giving more. */
  async ready(): Promise<void> {
    while (this.#failure === undefined && this.#waiting.length > 0) {
      const room = Promise.withResolvers<void>();
      this.#room.push(room);
      await room.promise;
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Stores a batch of files, read by one thread one after another. */
  storeFiles(paths: RawPath[]): Promise<StoredFiles> {
    return this.#ask<StoredFiles>({ kind: 'files', id: this.#nextId(), paths });
  }

  /**
   * Stores content that comes as a stream (the data of a file; holes left out). Resolves when the stream has been read to
   * its end, so that the next may begin; its chunks come later, in `stored`. Pieces must not be changed afterwards.
   */
  async storeStream(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<StoredStream> {
    await this.ready();
    return this.#cutter.store(source);
  }

  /** Waits until all that was given is stored and all packs are in the store. */
  async finish(): Promise<void> {
    await this.#cutter.settle();
    const ask = (_: unknown, index: number) => {
      const request = { kind: 'finish' as const, id: this.#nextId() };
      const answer = Promise.withResolvers<unknown>();
      this.#send(index, request, answer);
      return answer.promise;
    };
    while (this.#waiting.length > 0 || this.#workers.some(({ pending }) => pending.size > 0)) {
      if (this.#failure !== undefined) throw this.#failure;
      await Promise.all(this.#workers.flatMap(({ pending }) => [...pending.values()].map(({ promise }) => promise)));
    }
    if (this.#failure !== undefined) throw this.#failure;
    await Promise.all(this.#workers.map(ask));
    await this.#packs;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#options.task.signal.removeEventListener('abort', this.#abort);
    this.#fail(new ImprintError('interrupted', {}));
    await endWorkers(
      this.#workers.map(({ worker }) => worker),
      this.#stopped,
    );
    await this.#packs.catch(() => {});
  }

  async #storeChunks(bytes: Uint8Array<ArrayBuffer>, lengths: Uint32Array): Promise<ChunkReference[]> {
    await this.ready();
    const hashes = await this.#ask<{ hashes: Uint8Array }>({ kind: 'chunks', id: this.#nextId(), bytes, lengths });
    this.#options.onProgress?.(bytes.length);
    return Array.from(lengths, (length, index) => ({
      hash: hashes.hashes.subarray(index * 32, index * 32 + 32),
      length,
    }));
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  async #ask<Answer>(request: ContentRequest & { id: number }): Promise<Answer> {
    this.#claimsMade ??= this.#makeClaims();
    if (this.#claims === undefined) await this.#claimsMade;
    if (this.#failure !== undefined) throw this.#failure;
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.push({ request, answer });
    this.#dispatch();
    return (await answer.promise) as Answer;
  }

  #dispatch(): void {
    while (this.#waiting.length > 0) {
      const index = this.#freeWorker();
      if (index === undefined) return;
      const next = this.#waiting.shift();
      if (next !== undefined) this.#send(index, next.request, next.answer);
    }
    for (const room of this.#room.splice(0)) room.resolve();
  }

  /** The thread with the least to do, a new one before a busy one; undefined where all have enough. */
  #freeWorker(): number | undefined {
    const most = Math.max(1, this.#options.workers ?? Math.min(availableParallelism(), mostWorkers));
    const idle = this.#workers.findIndex(({ pending }) => pending.size === 0);
    if (idle >= 0) return idle;
    if (this.#workers.length < most) return this.#start();
    const free = this.#workers.findIndex(({ pending }) => pending.size < requestsPerWorker);
    return free < 0 ? undefined : free;
  }

  #send(index: number, request: ContentRequest & { id: number }, answer: PromiseWithResolvers<unknown>): void {
    const worker = this.#workers[index];
    if (worker === undefined || this.#failure !== undefined) {
      answer.reject(this.#failure ?? new ImprintError('internal', { problem: 'no thread to store content' }));
      return;
    }
    worker.pending.set(request.id, answer);
    // An answer that nobody awaits yet must not end the process; `#failure` tells whoever asks next.
    answer.promise.catch(() => {});
    worker.worker.postMessage(request, request.kind === 'chunks' ? [request.bytes.buffer as ArrayBuffer] : []);
  }

  #start(): number {
    const index = this.#workers.length;
    const workerData: ContentWorkerData = {
      index,
      directory: this.#options.transaction.directory,
      thoroughly: this.#thoroughly,
      stopped: this.#stopped,
      claims: this.#claims?.memories ?? [],
    };
    const worker = new Worker(workerUrl('content-worker'), {
      workerData,
      execArgv: [...workerArguments],
      resourceLimits: { maxYoungGenerationSizeMb: 8 },
    });
    const pending = new Map<number, PromiseWithResolvers<unknown>>();
    worker.on('message', (answer: ContentAnswer) => this.#receive(answer, pending));
    worker.on('error', (error) => this.#fail(error));
    worker.on('exit', () => this.#fail(new ImprintError('internal', { problem: 'a thread ended too early' })));
    this.#workers.push({ worker, pending });
    return index;
  }

  #receive(answer: ContentAnswer, pending: Map<number, PromiseWithResolvers<unknown>>): void {
    switch (answer.kind) {
      case 'progress':
        this.#options.onProgress?.(answer.bytes);
        break;
      case 'failed':
        this.#fail(ImprintError.fromValue(answer.error));
        break;
      case 'pack':
        this.#packs = this.#packs.then(() => this.#options.transaction.addPack(answer.path, answer.pack));
        this.#packs.catch((error) => this.#fail(error));
        break;
      default: {
        pending.get(answer.id)?.resolve(answer);
        pending.delete(answer.id);
        if (this.#claims?.crowded) this.#grow(this.#claims);
        this.#dispatch();
      }
    }
  }

  #grow(claims: ClaimTable): void {
    const memory = claims.grow();
    for (const { worker } of this.#workers) worker.postMessage({ kind: 'claims', memory } satisfies ContentRequest);
  }

  /** Ends everything: whatever is awaited rejects. Only the first failure counts. */
  #fail(thrown: unknown): void {
    if (this.#failure !== undefined) return;
    const failure = toImprintError(thrown);
    this.#failure = failure;
    for (const { pending } of this.#workers) for (const answer of pending.values()) answer.reject(failure);
    for (const { answer } of this.#waiting.splice(0)) answer.reject(failure);
    for (const room of this.#room.splice(0)) room.resolve();
  }
}

/** A view where the bytes lie so that one can be; else a copy. */
function asWords(bytes: Uint8Array): Int32Array {
  const { buffer, byteOffset, length } = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  return new Int32Array(buffer, byteOffset, length / 4);
}
