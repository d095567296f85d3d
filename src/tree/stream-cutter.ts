import { createGearTable, cutMaximum, cutThreshold, findCut } from '../image/cutter.ts';
import type { ChunkReference } from '../image/entry.ts';

/** The content of a stream: its length, known now, and its chunks, once a thread has dealt with them. */
export interface StoredStream {
  size: number;
  stored: Promise<ChunkReference[]>;
}

/** Stores pieces of content, joined in `bytes` (which is given away), each a chunk. */
export type StoreChunks = (bytes: Uint8Array<ArrayBuffer>, lengths: Uint32Array) => Promise<ChunkReference[]>;

/** Small contents are sent to a thread together, this much at a time, or after this many milliseconds. */
const batchSize = 4 << 20;
const longestWait = 20;
/** Batches on their way at once: bounds the memory. */
const batchesAtOnce = 6;

/** Cuts streams into chunks, and gathers the chunks of many small streams into batches. */
export class StreamCutter {
  readonly #store: StoreChunks;
  readonly #gear = createGearTable();
  readonly #sent = new Set<Promise<unknown>>();
  #batch = new Batch();
  #timer: NodeJS.Timeout | undefined;

  constructor(store: StoreChunks) {
    this.#store = store;
  }

  /** Resolves when the stream has been read to its end. */
  async store(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<StoredStream> {
    const chunks: Promise<ChunkReference>[] = [];
    let held: Uint8Array[] = [];
    let length = 0;
    let size = 0;
    let done = 0;
    for await (const piece of source) {
      held.push(piece);
      length += piece.length;
      size += piece.length;
      if (length > cutThreshold + cutMaximum) {
        const rest = await this.#cut(Buffer.concat(held), done, cutMaximum, chunks);
        held = [rest];
        done += length - rest.length;
        length = rest.length;
      }
    }
    const [first] = held;
    const whole = held.length === 1 && first !== undefined ? first : Buffer.concat(held);
    if (size > cutThreshold) await this.#cut(whole, done, 0, chunks);
    else if (size > 0) await this.#add(whole, chunks);
    const stored = Promise.all(chunks);
    stored.catch(() => {});
    return { size, stored };
  }

  /** Sends what waits and resolves when all that was sent is stored; rejects if some of it could not be. */
  async settle(): Promise<void> {
    this.#flush();
    await Promise.all(this.#sent);
  }

  /** Cuts chunks off while more than `keep` bytes are left; what is left. `position`: where in the stream `data` begins. */
  async #cut(data: Uint8Array, position: number, keep: number, chunks: Promise<ChunkReference>[]): Promise<Uint8Array> {
    let from = 0;
    while (data.length - from > keep) {
      const end = findCut(this.#gear, data, from, data.length, position + from);
      await this.#add(data.subarray(from, end), chunks);
      from = end;
    }
    return data.subarray(from);
  }

  async #add(content: Uint8Array, chunks: Promise<ChunkReference>[]): Promise<void> {
    if (this.#batch.used + content.length > batchSize) this.#flush();
    while (this.#sent.size >= batchesAtOnce) await Promise.race(this.#sent);
    chunks.push(this.#batch.add(content));
    this.#timer ??= setTimeout(() => this.#flush(), longestWait);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { bytes, used, lengths, answer } = this.#batch;
    if (used === 0) return;
    this.#batch = new Batch();
    const sent = this.#store(bytes.slice(0, used), Uint32Array.from(lengths));
    this.#sent.add(sent);
    sent.then(answer.resolve, answer.reject).finally(() => this.#sent.delete(sent));
  }
}

/** Contents that go to a thread together. */
class Batch {
  readonly bytes = new Uint8Array(batchSize);
  readonly lengths: number[] = [];
  readonly answer = Promise.withResolvers<ChunkReference[]>();
  used = 0;

  add(content: Uint8Array): Promise<ChunkReference> {
    const index = this.lengths.length;
    this.bytes.set(content, this.used);
    this.lengths.push(content.length);
    this.used += content.length;
    const chunk = this.answer.promise.then((chunks) => chunks[index] as ChunkReference);
    chunk.catch(() => {});
    return chunk;
  }
}
