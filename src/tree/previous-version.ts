import type { Digest, RawPath } from '../foundation/brand.ts';
import { comparePaths, type Entry } from '../image/entry.ts';
import type { FileStatus } from '../native/status.ts';
import type { WritableStore } from '../store/transaction.ts';
import type { HintReader } from './capture-hints.ts';

/** An earlier version, read alongside a walk in the same order. */
export interface PreviousVersion {
  /** The entry that it had at `path`, if by its hints it did not change since; paths must be asked for in order. */
  unchanged(path: RawPath, status: FileStatus): Entry | undefined | Promise<Entry | undefined>;
}

/** Opens an earlier version, with the hints that a capture of it left. */
export function openPreviousVersion(store: WritableStore, digest: Digest, hints: HintReader): PreviousVersion {
  return new Alongside(store.entries(digest)[Symbol.asyncIterator](), hints);
}

class Alongside implements PreviousVersion {
  readonly #batches: AsyncIterator<Entry[]>;
  readonly #hints: HintReader;
  #batch: Entry[] = [];
  #index = 0;
  #row = 0;
  #ended = false;

  constructor(batches: AsyncIterator<Entry[]>, hints: HintReader) {
    this.#batches = batches;
    this.#hints = hints;
  }

  unchanged(path: RawPath, status: FileStatus): Entry | undefined | Promise<Entry | undefined> {
    for (; this.#index < this.#batch.length; this.#index += 1, this.#row += 1) {
      const entry = this.#batch[this.#index] as Entry;
      // Nearly always the same one: told apart faster than put in order.
      if (entry.path === path) return this.#hints.matches(this.#row, status) ? entry : undefined;
      if (comparePaths(entry.path, path) > 0) return undefined;
    }
    return this.#ended ? undefined : this.#next(path, status);
  }

  async #next(path: RawPath, status: FileStatus): Promise<Entry | undefined> {
    const next = await this.#batches.next();
    this.#ended = next.done === true;
    this.#batch = next.done ? [] : next.value;
    this.#index = 0;
    return this.unchanged(path, status);
  }
}
