import { type FileHandle, open } from 'node:fs/promises';
import type { RawPath } from '../../foundation/brand.ts';
import { comparePaths, type Entry } from '../../image/entry.ts';
import { ManifestDecoder } from '../../image/manifest-decoder.ts';
import { ManifestEncoder } from '../../image/manifest-encoder.ts';
import { writing } from '../../store/durable.ts';

/** Entries that wait for their content at once. */
const mostWaiting = 16_384;
const entriesAtOnce = 512;
const pieceLength = 1 << 20;
/** A spool holds what a manifest would not: entries without the directories that they are in. */
const unchecked = { check: () => {}, end: () => {} };

/**
 * Entries put aside in a file beside the packs being written, in the order in which they came, so that a million of them need no memory.
 * Errors: `disk-full`, `read-only`, `io-failed`, and whatever a content could not be stored for.
 */
export class EntrySpool implements AsyncDisposable {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #encoder = new ManifestEncoder(unchecked);
  #waiting: { entry: Entry; stored: Promise<unknown> | undefined }[] = [];
  #first = 0;

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  /** @param path of a file that does not exist yet, in a directory that goes by itself */
  static async create(path: string): Promise<EntrySpool> {
    return new EntrySpool(path, await writing(path, () => open(path, 'wx+', 0o600)));
  }

  /** Adds an entry; `stored` settles when all of it is known. May wait until others are. */
  add(entry: Entry, stored?: Promise<unknown>): Promise<void> | undefined {
    this.#waiting.push({ entry, stored });
    return this.#waiting.length - this.#first > mostWaiting ? this.#drain(mostWaiting / 2) : undefined;
  }

  /** Resolves when all entries are whole and written. */
  finish(): Promise<void> {
    return this.#drain(0);
  }

  /** The entries, for one pass from the first to the last. */
  reader(): SpoolReader {
    return new SpoolReader(this.#entries());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }

  async #drain(keep: number): Promise<void> {
    while (this.#waiting.length - this.#first > keep) {
      const batch = this.#waiting.slice(this.#first, this.#first + entriesAtOnce);
      for (const { stored } of batch) await stored;
      const bytes = this.#encoder.encode(batch.map(({ entry }) => entry));
      await writing(this.#path, () => this.#file.writeFile(bytes));
      this.#first += batch.length;
    }
    this.#waiting = this.#waiting.slice(this.#first);
    this.#first = 0;
  }

  async *#entries(): AsyncGenerator<Entry[]> {
    const decoder = new ManifestDecoder(unchecked);
    for (let position = 0; ; ) {
      // Entries keep pieces of it: never the same buffer twice.
      const { buffer, bytesRead } = await this.#file.read(Buffer.allocUnsafe(pieceLength), 0, pieceLength, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      yield decoder.push(buffer.subarray(0, bytesRead));
    }
  }
}

/** Reads a spool alongside something else in the same order. */
export class SpoolReader {
  readonly #batches: AsyncIterator<Entry[]>;
  #batch: Entry[] = [];
  #at = 0;
  #ended = false;

  constructor(batches: AsyncIterator<Entry[]>) {
    this.#batches = batches;
  }

  /** The entry of a path, which must come after all that were asked for before; undefined where there is none. */
  async take(path: RawPath): Promise<Entry | undefined> {
    for (;;) {
      for (; this.#at < this.#batch.length; this.#at += 1) {
        const entry = this.#batch[this.#at] as Entry;
        if (entry.path === path) return entry;
        if (comparePaths(entry.path, path) > 0) return undefined;
      }
      if (this.#ended) return undefined;
      const next = await this.#batches.next();
      this.#ended = next.done === true;
      this.#batch = next.done ? [] : next.value;
      this.#at = 0;
    }
  }
}
