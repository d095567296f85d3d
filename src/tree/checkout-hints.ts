import type { RawPath } from '../foundation/brand.ts';
import { comparePaths, type Entry } from '../image/entry.ts';
import type { FileStatus } from '../native/status.ts';
import { HintWriter } from './capture-hints.ts';
import { walk } from './walk.ts';

/** What the file system says of a tree that was just written. */
export interface CheckoutHints {
  /** As a capture of the tree would have left them (`capture-hints.ts`). */
  hints: Uint8Array;
  /** The newest time of change in it. Once the clock is past it, every further change shows. */
  newest: { seconds: number; nanoseconds: number };
}

/**
 * Hints for a tree that was just written from a version, and that nobody else touches: what is not changed after that need not be read to know it.
 * `entries` are the version's, in order. What the tree has beyond them is passed over.
 */
export async function readCheckoutHints(
  entries: AsyncIterable<readonly Entry[]>,
  directory: RawPath,
): Promise<CheckoutHints> {
  const hints = new HintWriter();
  const newest = { seconds: 0, nanoseconds: 0 };
  const found = walk(directory);
  let next = found.next();
  const statusAt = (path: RawPath): FileStatus | undefined => {
    while (next.done !== true && next.value.path !== path && comparePaths(next.value.path, path) < 0)
      next = found.next();
    return next.done !== true && next.value.path === path ? next.value.status : undefined;
  };
  for await (const batch of entries) {
    for (const { path } of batch) {
      const status = statusAt(path);
      hints.add(status, Number.POSITIVE_INFINITY);
      if (status !== undefined && isLater(status, newest)) {
        newest.seconds = status.ctimeSeconds;
        newest.nanoseconds = status.ctimeNanoseconds;
      }
    }
  }
  return { hints: Buffer.concat(hints.take()), newest };
}

/** Whether a status was changed after a moment. */
export function isLater(status: FileStatus, moment: CheckoutHints['newest']): boolean {
  const { ctimeSeconds: seconds, ctimeNanoseconds: nanoseconds } = status;
  return seconds > moment.seconds || (seconds === moment.seconds && nanoseconds > moment.nanoseconds);
}
