import { setImmediate } from 'node:timers/promises';
import type { Digest, RawPath } from '../foundation/brand.ts';
import { toImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import { comparePaths, type Entry } from '../image/entry.ts';
import type { Store } from '../store/store.ts';
import { type Difference, EntryComparer } from './compare-entry.ts';
import { type WalkedEntry, type WalkOptions, walk } from './walk.ts';

export interface CompareOptions extends Pick<WalkOptions, 'exclude' | 'enter'> {
  store: Store;
  digest: Digest;
  /** Absolute path of the directory that should be like the version. */
  directory: RawPath;
  task: Task;
}

/** Bytes read between two looks at what else there is to do. */
const breath = 32 << 20;

/**
 * Compares a directory with a version, attribute by attribute and byte by byte; what differs comes in manifest order, nothing
 * where they are equal. What `exclude` names is passed over on both sides; so is what lies below a directory that is not
 * entered. Progress is in bytes of content.
 *
 * Errors: `corrupt-manifest`, `store-unreachable`, `io-failed`, `interrupted`.
 */
export async function* compareTree(options: CompareOptions): AsyncGenerator<Difference> {
  try {
    yield* compare(options);
  } catch (error) {
    throw toImprintError(error);
  }
}

async function* compare({
  store,
  digest,
  directory,
  task,
  exclude,
  enter,
}: CompareOptions): AsyncGenerator<Difference> {
  const comparer = new EntryComparer();
  const found = walk(directory, {
    ...(exclude === undefined ? {} : { exclude }),
    ...(enter === undefined ? {} : { enter }),
  });
  let actual = nextOf(found);
  let unseen = 0;
  let leftOut: string | undefined;
  for await (const entries of store.entries(digest)) {
    task.signal.throwIfAborted();
    for (const entry of entries) {
      if (leftOut !== undefined && entry.path.startsWith(leftOut)) continue;
      leftOut = undefined;
      if (exclude?.(entry.path, entry.type === 'directory')) {
        leftOut = `${entry.path}/`;
        continue;
      }
      while (actual !== undefined && comparePaths(actual.path, entry.path) < 0) {
        yield unexpected(actual);
        actual = nextOf(found);
      }
      if (actual === undefined || actual.path !== entry.path) {
        yield missing(entry);
        continue;
      }
      yield* comparer.compare(entry, actual);
      const bytes = contentLength(entry);
      task.advance(bytes);
      unseen += bytes;
      if (unseen > breath) {
        unseen = 0;
        await setImmediate();
        task.signal.throwIfAborted();
      }
      actual = nextOf(found);
    }
  }
  for (; actual !== undefined; actual = nextOf(found)) yield unexpected(actual);
}

function nextOf(found: Generator<WalkedEntry>): WalkedEntry | undefined {
  const next = found.next();
  return next.done ? undefined : next.value;
}

function missing({ path, type }: Entry): Difference {
  return { path, attribute: 'existence', expected: type, actual: 'missing' };
}

function unexpected({ path }: WalkedEntry): Difference {
  return { path, attribute: 'existence', expected: 'nothing', actual: 'there' };
}

function contentLength({ chunks = [] }: Entry): number {
  return chunks.reduce((sum, { length }) => sum + length, 0);
}
