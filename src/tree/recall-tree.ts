import type { Digest } from '../foundation/brand.ts';
import type { CaptureDirectoryOptions, CapturedTree } from './capture-directory.ts';
import type { HintReader } from './capture-hints.ts';
import type { CaptureStream } from './capture-stream.ts';
import { isUnchanged } from './unchanged-tree.ts';

/** What a capture remembers of itself beside the rows of its hints. */
interface Memo {
  rules: string;
  notes: string;
  manifestBytes: number;
  counts: CaptureStream['counts'];
}

/** The memo of a capture that went well; undefined where nothing is to be remembered. */
export function formatMemo(
  { remember }: CaptureDirectoryOptions,
  { counts }: CaptureStream,
  manifestBytes: number,
): string | undefined {
  if (remember === undefined) return undefined;
  return JSON.stringify({ rules: remember.rules, notes: remember.notes(), manifestBytes, counts } satisfies Memo);
}

/**
 * The tree as an earlier capture of it left it, where by its hints nothing has changed, the rules are the same, and all of that version is still
 * in the store; else undefined. Nothing is read or written for it but the status of each entry.
 */
export async function recallTree(
  options: CaptureDirectoryOptions,
  digest: Digest,
  hints: HintReader,
): Promise<CapturedTree | undefined> {
  const { directory, remember, snapshot, task, transaction } = options;
  if (remember === undefined || hints.memo === '') return undefined;
  // Written by ourselves and held against its checksum.
  const memo = JSON.parse(hints.memo) as Memo;
  if (memo.rules !== remember.rules) return undefined;
  const devices = snapshot === undefined ? {} : { devices: snapshot.devices };
  if (!(await isUnchanged({ directory, hints, ...devices, signal: task.signal }))) return undefined;
  const { counts, manifestBytes } = memo;
  if (!(await transaction.keepManifest(digest))) return undefined;
  task.expect(counts.contentBytes, 'bytes');
  task.advance(counts.contentBytes);
  return {
    manifest: { digest, bytes: manifestBytes, entries: counts.entries },
    stats: { ...counts, newChunks: 0, newBytes: 0 },
    warnings: [],
    unchanged: counts.files,
    notes: memo.notes,
  };
}
