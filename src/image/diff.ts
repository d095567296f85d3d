import type { RawPath } from '../foundation/brand.ts';
import { comparePaths, type Entry } from './entry.ts';
import { decodeEntry, pathOfMessage } from './manifest-decoder.ts';

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

/** Entries that are wanted though they may be equal on both sides: package databases, say. */
export interface DiffWitness {
  wants(path: RawPath): boolean;
  see(side: 'before' | 'after', entry: Entry): void;
}

/**
 * What differs between two manifests, in their order, in one pass over the messages of both. What is equal byte for byte is not
 * decoded. Throws a `FormatError` for messages that are none.
 */
export async function* diffManifests(
  before: AsyncIterable<Buffer[]>,
  after: AsyncIterable<Buffer[]>,
  witness: DiffWitness = { wants: () => false, see: () => {} },
): AsyncGenerator<EntryChange[]> {
  const left = new Cursor(before);
  const right = new Cursor(after);
  const take = (side: 'before' | 'after', cursor: Cursor): Entry => {
    const { entry } = cursor;
    if (witness.wants(entry.path)) witness.see(side, entry);
    cursor.next();
    return entry;
  };
  try {
    while ((await left.fill()) || (await right.fill())) {
      await right.fill();
      const changes: EntryChange[] = [];
      // Without an `await` as long as both sides have entries: those come by the ten thousand.
      while (left.ready && right.ready) {
        if (left.message.equals(right.message)) {
          if (witness.wants(pathOfMessage(left.message))) {
            witness.see('before', left.entry);
            witness.see('after', right.entry);
          }
          left.next();
          right.next();
          continue;
        }
        const order = comparePaths(left.entry.path, right.entry.path);
        if (order === 0) {
          const [one, other] = [take('before', left), take('after', right)];
          if (changedAttributes(one, other).length > 0) changes.push({ path: one.path, before: one, after: other });
        } else if (order < 0) changes.push(gone(take('before', left)));
        else changes.push(added(take('after', right)));
      }
      while (left.ready && right.ended) changes.push(gone(take('before', left)));
      while (right.ready && left.ended) changes.push(added(take('after', right)));
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
  readonly #batches: AsyncIterator<Buffer[]>;
  #batch: Buffer[] = [];
  #index = 0;
  #decoded: Entry | undefined;
  ended = false;

  constructor(batches: AsyncIterable<Buffer[]>) {
    this.#batches = batches[Symbol.asyncIterator]();
  }

  get ready(): boolean {
    return this.#index < this.#batch.length;
  }

  get message(): Buffer {
    return this.#batch[this.#index] as Buffer;
  }

  get entry(): Entry {
    this.#decoded ??= decodeEntry(this.message);
    return this.#decoded;
  }

  next(): void {
    this.#index += 1;
    this.#decoded = undefined;
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

function gone(before: Entry): EntryChange {
  return { path: before.path, before };
}

function added(after: Entry): EntryChange {
  return { path: after.path, after };
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
