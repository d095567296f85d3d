import type { RawPath } from '../../../foundation/brand.ts';
import { changedAttributes } from '../../../image/diff.ts';
import type { Entry } from '../../../image/entry.ts';

/** A manifest read entry by entry; awaits only between its batches. */
export class EntryCursor {
  readonly #batches: AsyncIterator<Entry[]>;
  #batch: readonly Entry[] = [];
  #index = 0;
  #ended = false;

  constructor(batches: AsyncIterable<Entry[]>) {
    this.#batches = batches[Symbol.asyncIterator]();
  }

  /** The entry that it is at; undefined at the end, and where `fill` must come first. */
  get entry(): Entry | undefined {
    return this.#batch[this.#index];
  }

  get needsFill(): boolean {
    return this.#index >= this.#batch.length && !this.#ended;
  }

  next(): void {
    this.#index += 1;
  }

  async fill(): Promise<void> {
    while (this.needsFill) {
      const next = await this.#batches.next();
      this.#batch = next.done ? [] : next.value;
      this.#index = 0;
      this.#ended = next.done === true;
    }
  }

  async close(): Promise<void> {
    await this.#batches.return?.();
  }
}

/** First names of the files of a version that have several, by path. */
export async function linkedEntries(entries: () => AsyncIterable<Entry[]>): Promise<Map<RawPath, Entry>> {
  const targets = new Set<RawPath>();
  for await (const batch of entries())
    for (const { type, target } of batch) if (type === 'hardlink' && target !== undefined) targets.add(target);
  const found = new Map<RawPath, Entry>();
  if (targets.size === 0) return found;
  for await (const batch of entries())
    for (const entry of batch) if (targets.has(entry.path)) found.set(entry.path, entry);
  return found;
}

/** The entry that has the attributes and the content: the first name of a hard link. */
export function identityOf(entry: Entry, linked: ReadonlyMap<RawPath, Entry>): Entry {
  return entry.type === 'hardlink' ? (linked.get(entry.target as RawPath) ?? entry) : entry;
}

/** Whether two versions have the same at a path, the names that belong together included. */
export function sameEntries(
  before: Entry,
  after: Entry,
  linkedBefore: ReadonlyMap<RawPath, Entry>,
  linkedAfter: ReadonlyMap<RawPath, Entry>,
): boolean {
  if (before.type !== after.type || before.target !== after.target) return false;
  const [one, other] = [identityOf(before, linkedBefore), identityOf(after, linkedAfter)];
  return changedAttributes(one, other).length === 0;
}
