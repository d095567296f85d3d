import type { RawPath } from '../foundation/brand.ts';
import { comparePaths, type Entry } from './entry.ts';

/** A path that is in one of two versions alone, or in both with a difference. */
export interface EntryChange {
  path: RawPath;
  /** Absent where the path is new. */
  before?: Entry;
  /** Absent where the path is gone. */
  after?: Entry;
  /** A file that moved: the path where it was, with `before` as it was there. */
  from?: RawPath;
}

/** Attributes of an entry that can differ, as `changedAttributes` names them. */
export const entryAttributes = [
  'type',
  'content',
  'size',
  'holes',
  'mode',
  'owner',
  'mtime',
  'xattr',
  'target',
  'device',
] as const;
export type EntryAttribute = (typeof entryAttributes)[number];

/**
 * What differs between two manifests, in their order, in one pass over both. `see` hears of every entry of either side.
 */
export async function* diffEntries(
  before: AsyncIterable<Entry[]>,
  after: AsyncIterable<Entry[]>,
  see: (side: 'before' | 'after', entry: Entry) => void = () => {},
): AsyncGenerator<EntryChange[]> {
  const left = new Cursor(before, (entry) => see('before', entry));
  const right = new Cursor(after, (entry) => see('after', entry));
  try {
    while ((await left.fill()) || (await right.fill())) {
      await right.fill();
      const changes: EntryChange[] = [];
      // Without an `await` as long as both sides have entries: those come by the ten thousand.
      while (left.ready && right.ready) {
        const order = compareHeads(left.entry, right.entry);
        if (order === 0) {
          const [one, other] = [left.take(), right.take()];
          if (!sameEntry(one, other)) changes.push({ path: one.path, before: one, after: other });
        } else if (order < 0) changes.push(gone(left.take()));
        else changes.push(added(right.take()));
      }
      while (left.ready && right.ended) changes.push(gone(left.take()));
      while (right.ready && left.ended) changes.push(added(right.take()));
      if (changes.length > 0) yield changes;
    }
  } finally {
    await left.close();
    await right.close();
  }
}

/** Which attributes of a path differ. Attributes of hard links are those of their first name, and are told there. */
export function changedAttributes(before: Entry, after: Entry): EntryAttribute[] {
  const found: EntryAttribute[] = [];
  const differ = (attribute: EntryAttribute, differs: boolean) => differs && found.push(attribute);
  differ('type', before.type !== after.type);
  const files = before.type === 'file' && after.type === 'file';
  differ('content', files && !sameChunks(before, after));
  differ('size', files && before.size !== after.size);
  differ('holes', files && before.size === after.size && !sameSegments(before, after));
  if (before.type !== 'hardlink' || after.type !== 'hardlink') {
    differ('mode', before.mode !== after.mode);
    differ('owner', before.uid !== after.uid || before.gid !== after.gid);
    differ('mtime', !sameTime(before, after));
    differ('xattr', !sameXattrs(before, after));
  }
  differ('target', before.target !== after.target && before.type === after.type);
  differ('device', before.major !== after.major || before.minor !== after.minor);
  return found;
}

/**
 * Puts together what is gone and what is new with the same content: a file that moved. A file that is gone is taken once;
 * one of the same name is preferred. Empty files are left apart, for they are all alike.
 */
export function findMoves(changes: readonly EntryChange[]): EntryChange[] {
  const lost = new Map<string, EntryChange[]>();
  for (const change of changes) {
    if (change.after !== undefined || change.before === undefined) continue;
    const key = contentKey(change.before);
    if (key === undefined) continue;
    const others = lost.get(key);
    if (others === undefined) lost.set(key, [change]);
    else others.push(change);
  }
  const taken = new Set<EntryChange>();
  const moved = changes.map((change) => {
    const key = change.before === undefined && change.after !== undefined ? contentKey(change.after) : undefined;
    const candidates = key === undefined ? undefined : lost.get(key);
    if (candidates === undefined || candidates.length === 0) return change;
    const alike = candidates.findIndex(({ path }) => nameOf(path) === nameOf(change.path));
    const [old] = candidates.splice(Math.max(0, alike), 1);
    if (old?.before === undefined) return change;
    taken.add(old);
    return { ...change, before: old.before, from: old.path };
  });
  return moved.filter((change) => !taken.has(change));
}

/** One side of a merge. */
class Cursor {
  readonly #batches: AsyncIterator<Entry[]>;
  readonly #see: (entry: Entry) => void;
  #batch: Entry[] = [];
  #index = 0;
  ended = false;

  constructor(batches: AsyncIterable<Entry[]>, see: (entry: Entry) => void) {
    this.#batches = batches[Symbol.asyncIterator]();
    this.#see = see;
  }

  get ready(): boolean {
    return this.#index < this.#batch.length;
  }

  get entry(): Entry {
    return this.#batch[this.#index] as Entry;
  }

  take(): Entry {
    const entry = this.entry;
    this.#index += 1;
    this.#see(entry);
    return entry;
  }

  /** Whether there is an entry, now or after the next batch came. */
  async fill(): Promise<boolean> {
    while (!this.ready && !this.ended) {
      const next = await this.#batches.next();
      this.#batch = next.done ? [] : next.value;
      this.#index = 0;
      this.ended = next.done === true;
    }
    return this.ready;
  }

  async close(): Promise<void> {
    await this.#batches.return?.();
  }
}

function compareHeads(left: Entry, right: Entry): number {
  return left.path === right.path ? 0 : comparePaths(left.path, right.path);
}

function gone(before: Entry): EntryChange {
  return { path: before.path, before };
}

function added(after: Entry): EntryChange {
  return { path: after.path, after };
}

/** As `changedAttributes` with nothing found, for what is equal nearly always. */
function sameEntry(before: Entry, after: Entry): boolean {
  if (before.type !== after.type || before.target !== after.target || before.size !== after.size) return false;
  if (before.type !== 'hardlink') {
    if (before.mode !== after.mode || before.uid !== after.uid || before.gid !== after.gid) return false;
    if (!sameTime(before, after) || !sameXattrs(before, after)) return false;
  }
  if (before.major !== after.major || before.minor !== after.minor) return false;
  return before.type !== 'file' || (sameChunks(before, after) && sameSegments(before, after));
}

function sameChunks(before: Entry, after: Entry): boolean {
  const left = before.chunks ?? none;
  const right = after.chunks ?? none;
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index += 1) {
    const [one, other] = [left[index], right[index]];
    if (one === undefined || other === undefined || one.length !== other.length) return false;
    if (!sameBytes(one.hash, other.hash)) return false;
  }
  return true;
}

const none: readonly never[] = [];

function sameSegments(before: Entry, after: Entry): boolean {
  const [left, right] = [before.segments, after.segments];
  if (left === undefined || right === undefined) return left === right;
  if (left.length !== right.length) return false;
  return left.every(({ offset, length }, index) => right[index]?.offset === offset && right[index]?.length === length);
}

function sameTime({ mtime: left }: Entry, { mtime: right }: Entry): boolean {
  return left.seconds === right.seconds && left.nanoseconds === right.nanoseconds;
}

function sameXattrs(before: Entry, after: Entry): boolean {
  if (before.xattrs === undefined && after.xattrs === undefined) return true;
  const [left, right] = [before.xattrs ?? [], after.xattrs ?? []];
  if (left.length !== right.length) return false;
  return left.every(({ name, value }, index) => {
    const other = right[index];
    return other !== undefined && other.name === name && sameBytes(other.value, value);
  });
}

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index += 1) if (left[index] !== right[index]) return false;
  return true;
}

/** What stands for a file's content; undefined for all that has none. */
function contentKey({ type, chunks = [], size }: Entry): string | undefined {
  if (type !== 'file' || chunks.length === 0) return undefined;
  return `${size}:${chunks.map(({ hash }) => Buffer.from(hash).toString('latin1')).join('')}`;
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
