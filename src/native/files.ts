import { constants } from 'node:fs';
import type { RawPath } from '../foundation/brand.ts';
import { call, fail, firstPath, lastErrno, withPath } from './binding.ts';
import { NativeBuffer } from './native-buffer.ts';

export const openFlags = {
  readOnly: constants.O_RDONLY | 0o2000000,
  writeOnly: constants.O_WRONLY | 0o2000000,
  readWrite: constants.O_RDWR | 0o2000000,
  create: constants.O_CREAT,
  exclusive: constants.O_EXCL,
  noFollow: constants.O_NOFOLLOW,
  directory: constants.O_DIRECTORY,
  noAccessTime: constants.O_NOATIME,
  nonBlocking: constants.O_NONBLOCK,
} as const;

/** Opens `path`; `flags` of `openFlags`. Returns the file's number. */
export function open(path: RawPath, flags: number, mode = 0): number {
  const fd = tryOpen(path, flags, mode);
  return fd < 0 ? fail('open', path) : fd;
}

/** As `open`, but −1 where it fails; `lastErrno` says why. */
export function tryOpen(path: RawPath, flags: number, mode = 0): number {
  return withPath(path, firstPath, (pointer) => call.open(pointer, flags, mode));
}

export function close(fd: number): void {
  if (call.close(fd) < 0 && lastErrno() !== 4) fail('close');
}

/** Reads up to `length` bytes at `position` to the address `target`; fewer only at the end of the file. */
export function readAt(fd: number, target: bigint, length: number, position: number): number {
  let done = 0;
  while (done < length) {
    const got = Number(call.pread(fd, target + BigInt(done), BigInt(length - done), BigInt(position + done)));
    if (got < 0) {
      if (lastErrno() === 4) continue;
      fail('read');
    }
    if (got === 0) break;
    done += got;
  }
  return done;
}

/** Writes all `length` bytes at the address `source` to `position`. */
export function writeAt(fd: number, source: bigint, length: number, position: number, path?: string): void {
  let done = 0;
  while (done < length) {
    const put = Number(call.pwrite(fd, source + BigInt(done), BigInt(length - done), BigInt(position + done)));
    if (put < 0) {
      if (lastErrno() === 4) continue;
      fail('write', path);
    }
    done += put;
  }
}

/** Sets the file's length. */
export function truncate(fd: number, size: number, path?: string): void {
  if (call.ftruncate(fd, BigInt(size)) < 0) fail('ftruncate', path);
}

/** Reserves blocks, so that a file has no holes though nothing was written yet. */
export function allocate(fd: number, offset: number, length: number): void {
  if (call.fallocate(fd, 0, BigInt(offset), BigInt(length)) < 0) fail('fallocate');
}

/** Makes a hole: what was written or reserved there goes, and it reads as zeros. */
export function punchHole(fd: number, offset: number, length: number): void {
  // FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE.
  if (call.fallocate(fd, 3, BigInt(offset), BigInt(length)) < 0) fail('fallocate');
}

/** Where data begins at or after `offset`; −1 where only a hole follows. */
export function seekData(fd: number, offset: number): number {
  return seek(fd, offset, 3);
}

/** Where a hole begins at or after `offset`; the end of the file counts as one. */
export function seekHole(fd: number, offset: number): number {
  return seek(fd, offset, 4);
}

function seek(fd: number, offset: number, whence: number): number {
  const found = Number(call.lseek(fd, BigInt(offset), whence));
  if (found >= 0) return found;
  if (lastErrno() === 6) return -1;
  return fail('lseek');
}

export function fsync(fd: number): void {
  if (call.fsync(fd) < 0) fail('fsync');
}

/** Writes everything of the file system that holds the open file to its device. */
export function syncFileSystem(fd: number): void {
  if (call.syncfs(fd) < 0) fail('syncfs');
}

/**
 * Takes an advisory lock of an open file without waiting; false where another process has it. It goes with `close`, or
 * with the process.
 */
export function tryLock(fd: number, kind: 'shared' | 'exclusive'): boolean {
  if (call.flock(fd, (kind === 'shared' ? 1 : 2) | 4) === 0) return true;
  return lastErrno() === 11 ? false : fail('flock');
}

/** F_OFD_SETLK of linux/fcntl.h: unlike F_SETLK it is not lost when this process closes the file somewhere else. */
const setOpenFileLock = 37;
const recordLock = new NativeBuffer(32);

/**
 * As `tryLock`, exclusive, by the other kind of lock, which package managers use (fcntl); the file must be open for writing. It goes with `close`, or with the
 * process.
 */
export function tryRecordLock(fd: number): boolean {
  // `struct flock` on 64-bit machines: F_WRLCK, SEEK_SET, from the beginning to the end; no process.
  recordLock.bytes.fill(0);
  recordLock.view.setInt16(0, 1, true);
  if (call.fcntl(fd, setOpenFileLock, recordLock.pointer) === 0) return true;
  const errno = lastErrno();
  return errno === 11 || errno === 13 ? false : fail('fcntl');
}
