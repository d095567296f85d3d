import type { VersionStats } from '../contract/image.ts';
import type { Digest, RawPath } from '../foundation/brand.ts';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import { type FileStatus, isDirectory, status } from '../native/status.ts';
import type { StoreTransaction, WritableStore, WrittenManifest } from '../store/transaction.ts';
import { HintReader, HintWriter } from './capture-hints.ts';
import { CaptureStream } from './capture-stream.ts';
import { openContentPool } from './content-pool.ts';
import { openPreviousVersion } from './previous-version.ts';
import { formatMemo, recallTree } from './recall-tree.ts';
import type { WalkOptions } from './walk.ts';

export interface CaptureDirectoryOptions extends Pick<WalkOptions, 'exclude' | 'enter'> {
  /** Absolute path of the directory that becomes the root. */
  directory: RawPath;
  transaction: StoreTransaction;
  task: Task;
  /** An earlier version of the same directory: what did not change since is not read again. */
  previous?: {
    store: WritableStore;
    digest: Digest;
    /** What is known of this directory as it was then; absent: what the store keeps with that version. */
    hints?: Uint8Array;
  };
  /** The directory goes when it was captured: nothing need be kept to capture it faster again. */
  once?: boolean;
  /**
   * Lets a whole tree that did not change be known as such, by a look at each entry and nothing more. `rules`: all that `exclude`, `enter` and
   * `substitute` go by, as text; `notes`: what the caller wants to be told again then. Absent: the tree is always walked.
   */
  remember?: { rules: string; notes(): string };
  /** Other content for a file, whose own is not to be captured; undefined: its own. */
  substitute?: (path: RawPath, status: FileStatus) => Uint8Array | undefined;
  /**
   * Where the directory is a snapshot: what the numbers of its file systems (`FileStatus.device`) are in truth, and when it was made
   * (seconds since 1970), so that what changed after it is seen next time.
   */
  snapshot?: { devices: ReadonlyMap<number, number>; asOf: number };
  /**
   * Bytes of content to expect, for the progress: what the file system says is used, or the previous version's size. Without
   * it the total grows as the walk goes on ahead.
   */
  expectedBytes?: number;
  /** Threads; default: one for each core, eight at most. */
  workers?: number;
}

/** A tree whose manifest and content are in the store; `transaction.commit` makes a version of it. */
export interface CapturedTree {
  manifest: WrittenManifest;
  stats: VersionStats;
  /** What was not captured as it should, in words. */
  warnings: string[];
  /** Files that were taken over from the previous version without being read. */
  unchanged: number;
  /** The notes of the capture whose tree this still is: nothing was walked, and none of the functions given was called. */
  notes?: string;
}

/**
 * Captures a directory with every attribute: walks it, stores its content, writes its manifest. One file that cannot be
 * read, or that changes at every try, is a warning. Memory does not grow with the number of files, save some bytes for each.
 *
 * Errors: `source-not-found`, `disk-full`, `read-only`, `io-failed`, `interrupted`.
 */
export async function captureDirectory(options: CaptureDirectoryOptions): Promise<CapturedTree> {
  try {
    return await capture(options);
  } catch (error) {
    throw toImprintError(error);
  }
}

async function capture(options: CaptureDirectoryOptions): Promise<CapturedTree> {
  const { directory, transaction, task } = options;
  requireDirectory(directory);
  const { previous: before } = options;
  const hintsBefore = before && (before.hints ?? (await before.store.readHints(before.digest)));
  const known = hintsBefore && new HintReader(hintsBefore);
  if (before !== undefined && known !== undefined) {
    const same = await recallTree(options, before.digest, known);
    if (same !== undefined) return same;
  }
  const previous = before && known && openPreviousVersion(before.store, before.digest, known);
  if (options.expectedBytes !== undefined) task.expect(options.expectedBytes, 'bytes');
  const addedBefore = { ...transaction.added };
  await using pool = await openContentPool({
    transaction,
    task,
    onProgress: (bytes) => task.advance(bytes),
    ...(options.workers === undefined ? {} : { workers: options.workers }),
  });
  const hints = new HintWriter();
  const stream = new CaptureStream({ ...options, pool, previous, hints });
  const manifest = await transaction.writeManifest(stream.entries());
  if (options.once !== true) {
    const memo = stream.warnings.length > 0 ? undefined : formatMemo(options, stream, manifest.bytes);
    await transaction.writeHints(manifest.digest, hints.take(memo));
  }
  const { added } = transaction;
  return {
    manifest,
    stats: {
      ...stream.counts,
      newChunks: added.chunks - addedBefore.chunks,
      newBytes: added.bytes - addedBefore.bytes,
    },
    warnings: stream.warnings,
    unchanged: stream.unchanged,
  };
}

function requireDirectory(directory: RawPath): void {
  const source = Buffer.from(directory, 'latin1').toString();
  try {
    if (isDirectory(status(directory).mode)) return;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw toImprintError(cause);
  }
  throw new ImprintError('source-not-found', { source });
}
