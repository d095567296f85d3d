import { open, statfs } from 'node:fs/promises';
import { allocate, punchHole, seekData, seekHole, truncate } from '../native/files.ts';
import { makeExt4InFile } from './filesystem.ts';
import type { Processes } from './run.ts';

const mebibyte = 1024 ** 2;
/** `f_type` of statfs(2). */
const btrfs = 0x9123683e;

export interface ImageFileWish {
  path: string;
  /** Whole MiB. */
  bytes: number;
  uuid: string;
  inodes: number;
}

/**
 * Makes an image file with an empty ext4 in it, its blocks as `enlarge` has them. What was at the path goes. Errors: `disk-full`, `io-failed`, `process-failed`,
 * `tool-missing`.
 */
export async function makeImageFile(processes: Processes, wish: ImageFileWish, signal?: AbortSignal): Promise<void> {
  await (await open(wish.path, 'w', 0o600)).close();
  await enlarge(wish.path, wish.bytes);
  const { path, bytes, uuid, inodes } = wish;
  // One inode for 16 KiB is mkfs.ext4's own choice.
  const wanted = Math.max(inodes, Math.floor(bytes / 16_384));
  const journal = (bytes < 2048 * mebibyte ? 32 : 64) * mebibyte;
  const time = Math.floor(Date.now() / 1000);
  const wishes = { path, offset: 0, size: bytes, uuid, inodes: wanted, journal, time, initialised: true };
  await makeExt4InFile(processes, wishes, signal);
}

/**
 * Makes an image file larger. Its new blocks are reserved, so that the file system in it never meets a host that is full; on btrfs they are holes. GRUB 2.06 reads nothing of a btrfs
 * file behind blocks that were reserved and never written, so that no copy of it could be started by hand; and there a reservation ends with the first clone.
 */
export async function enlarge(path: string, bytes: number): Promise<void> {
  await using file = await open(path, 'r+');
  const { size } = await file.stat();
  if (await isOnBtrfs(path)) truncate(file.fd, bytes);
  else allocate(file.fd, size, bytes - size);
}

/**
 * Brings the blocks of an image file to where `enlarge` leaves them. Needed after a clone, after mkfs and after a trim: each of them makes holes, and reserves blocks
 * that it does not write.
 */
export async function settleBlocks(path: string): Promise<void> {
  await using file = await open(path, 'r+');
  const { size } = await file.stat();
  if (!(await isOnBtrfs(path))) return allocate(file.fd, 0, size);
  // Nothing that waits to be written may be taken for a hole; reserved blocks are.
  await file.sync();
  for (let hole = seekHole(file.fd, 0); hole >= 0 && hole < size; ) {
    const data = seekData(file.fd, hole);
    const end = data < 0 ? size : data;
    punchHole(file.fd, hole, end - hole);
    hole = end >= size ? -1 : seekHole(file.fd, end);
  }
}

async function isOnBtrfs(path: string): Promise<boolean> {
  return (await statfs(path)).type === btrfs;
}

/** Waits until all that was written to a file is on its disk. */
export async function flushFile(path: string): Promise<void> {
  await using file = await open(path, 'r+');
  await file.sync();
}
