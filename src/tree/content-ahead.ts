import type { Entry } from '../image/entry.ts';
import { type ConvergePlan, convergeAction } from './converge-plan.ts';
import { type ChunkSource, hexOf } from './converge-writer.ts';

/** One entry that is to be made, with its content under way. */
export interface ConvergeWork {
  entry: Entry;
  action: number;
  /** Chunks to be written, of a file that is patched. */
  chunks?: readonly number[];
  content: ChunkSource;
}

interface Version {
  entries(): AsyncIterable<Entry[]>;
  content: ChunkSource;
}

/** Content that is asked for before it is needed, and entries that wait for it. */
const aheadBytes = 8 << 20;
const aheadEntries = 64;

/**
 * The entries of a version for which something is to be done, in its order. The content of small files is asked for a little ahead, so that the
 * writer and whoever brings content need not wait for each other; that of large files comes chunk by chunk.
 */
export class ContentAhead implements AsyncIterable<ConvergeWork> {
  readonly #version: Version;
  readonly #plan: ConvergePlan;
  readonly #signal: AbortSignal;
  readonly #queue: { work: ConvergeWork; bytes: number }[] = [];
  #waiting = 0;

  constructor(version: Version, plan: ConvergePlan, signal: AbortSignal) {
    this.#version = version;
    this.#plan = plan;
    this.#signal = signal;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ConvergeWork> {
    let row = 0;
    for await (const entries of this.#version.entries()) {
      for (const entry of entries) {
        const action = this.#plan.actions.at(row);
        if (this.#isWork(entry, action)) this.#add(entry, action, this.#plan.patches.get(row));
        row += 1;
        while (this.#waiting > aheadBytes || this.#queue.length > aheadEntries) yield this.#take();
      }
    }
    while (this.#queue.length > 0) yield this.#take();
  }

  #isWork(entry: Entry, action: number): boolean {
    if (action === convergeAction.leave) return false;
    return action !== convergeAction.keep || (entry.type === 'directory' && this.#plan.touched.has(entry.path));
  }

  #add(entry: Entry, action: number, chunks: readonly number[] | undefined): void {
    const bytes = entry.type === 'file' && action === convergeAction.make ? (entry.size ?? 0) : 0;
    const [only, more] = entry.chunks ?? [];
    let content: ChunkSource = (hash) => this.#version.content(hash);
    if (bytes > 0 && only !== undefined && more === undefined) {
      const coming = this.#version.content(hexOf(only.hash));
      // It is told when it is this entry's turn.
      coming.catch(() => {});
      content = () => coming;
    }
    this.#queue.push({ work: { entry, action, content, ...(chunks === undefined ? {} : { chunks }) }, bytes });
    this.#waiting += bytes;
  }

  #take(): ConvergeWork {
    this.#signal.throwIfAborted();
    const { work, bytes } = this.#queue.shift() as { work: ConvergeWork; bytes: number };
    this.#waiting -= bytes;
    return work;
  }
}
