import { open } from 'node:fs/promises';
import { toImprintError } from '../foundation/errors.ts';
import { allocate } from '../native/files.ts';
import type { Processes } from './run.ts';

/**
 * Makes a swap file: every block is there, and on btrfs none is ever copied or compressed, which a file that the kernel writes past its file system must not be. `path` is in the
 * tree as it is mounted now. Errors: `process-failed`, `tool-missing`, `disk-full`, `io-failed`.
 */
export async function makeSwapFile(
  processes: Processes,
  { path, bytes, fileSystem }: { path: string; bytes: number; fileSystem: string },
  signal?: AbortSignal,
): Promise<void> {
  const options = { timeout: 120_000, ...(signal && { signal }) };
  try {
    await using handle = await open(path, 'wx', 0o600);
    // Only an empty file can be told so.
    if (fileSystem === 'btrfs') await processes.run('chattr', ['+C', path], options);
    allocate(handle.fd, 0, bytes);
    await handle.sync();
  } catch (thrown) {
    throw toImprintError(thrown);
  }
  await processes.run('mkswap', [path], options);
}
