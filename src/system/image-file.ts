import { open } from 'node:fs/promises';
import { allocate } from '../native/files.ts';
import { makeExt4InFile } from './filesystem.ts';
import type { Processes } from './run.ts';

const mebibyte = 1024 ** 2;

export interface ImageFileWish {
  path: string;
  /** Whole MiB. */
  bytes: number;
  uuid: string;
  inodes: number;
}

/**
 * Makes an image file: every block is reserved, so that the file system in it never meets a host that is full, and an empty ext4 lies in it.
 * What was at the path goes. Errors: `disk-full`, `io-failed`, `process-failed`, `tool-missing`.
 */
export async function makeImageFile(processes: Processes, wish: ImageFileWish, signal?: AbortSignal): Promise<void> {
  {
    await using file = await open(wish.path, 'w', 0o600);
    allocate(file.fd, 0, wish.bytes);
  }
  const { path, bytes, uuid, inodes } = wish;
  // One inode for 16 KiB is mkfs.ext4's own choice.
  const wanted = Math.max(inodes, Math.floor(bytes / 16_384));
  const journal = (bytes < 2048 * mebibyte ? 32 : 64) * mebibyte;
  const time = Math.floor(Date.now() / 1000);
  const wishes = { path, offset: 0, size: bytes, uuid, inodes: wanted, journal, time, initialised: true };
  await makeExt4InFile(processes, wishes, signal);
}

/** Reserves again what a file system in the file gave back to its host: the kernel makes holes where it discards and where it writes zeros. */
export async function fillHoles(path: string): Promise<void> {
  await using file = await open(path, 'r+');
  allocate(file.fd, 0, (await file.stat()).size);
}

/** Waits until all that was written to a file is on its disk. */
export async function flushFile(path: string): Promise<void> {
  await using file = await open(path, 'r+');
  await file.sync();
}
