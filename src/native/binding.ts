import { constants } from 'node:fs';
import { displayPath, type RawPath } from '../foundation/brand.ts';
import { requireFfi, systemError, unfit } from './library.ts';
import { NativeBuffer } from './native-buffer.ts';

/**
 * The calls of the C library that Node lacks, or does too slowly for the hot path. All are synchronous; all take paths as
 * raw bytes in latin1 (`RawPath`), of any length; all throw a system error as Node's own do (`code`, `syscall`, `path`).
 * Numbers are those of Linux on x86-64 and arm64.
 */

export const ffi = requireFfi();
export const { functions: call } = bind();

function bind() {
  try {
    return ffi.dlopen(null, {
      __errno_location: { arguments: [], return: 'pointer' },
      open: { arguments: ['pointer', 'i32', 'u32'], return: 'i32' },
      openat: { arguments: ['i32', 'pointer', 'i32', 'u32'], return: 'i32' },
      close: { arguments: ['i32'], return: 'i32' },
      pread: { arguments: ['i32', 'pointer', 'u64', 'i64'], return: 'i64' },
      pwrite: { arguments: ['i32', 'pointer', 'u64', 'i64'], return: 'i64' },
      ftruncate: { arguments: ['i32', 'i64'], return: 'i32' },
      lseek: { arguments: ['i32', 'i64', 'i32'], return: 'i64' },
      fallocate: { arguments: ['i32', 'i32', 'i64', 'i64'], return: 'i32' },
      fsync: { arguments: ['i32'], return: 'i32' },
      syncfs: { arguments: ['i32'], return: 'i32' },
      fcntl: { arguments: ['i32', 'i32', 'pointer'], return: 'i32' },
      flock: { arguments: ['i32', 'i32'], return: 'i32' },
      statx: { arguments: ['i32', 'pointer', 'i32', 'u32', 'pointer'], return: 'i32' },
      getdents64: { arguments: ['i32', 'pointer', 'u64'], return: 'i64' },
      readlink: { arguments: ['pointer', 'pointer', 'u64'], return: 'i64' },
      symlink: { arguments: ['pointer', 'pointer'], return: 'i32' },
      linkat: { arguments: ['i32', 'pointer', 'i32', 'pointer', 'i32'], return: 'i32' },
      mkdir: { arguments: ['pointer', 'u32'], return: 'i32' },
      mknod: { arguments: ['pointer', 'u32', 'u64'], return: 'i32' },
      unlink: { arguments: ['pointer'], return: 'i32' },
      rmdir: { arguments: ['pointer'], return: 'i32' },
      lchown: { arguments: ['pointer', 'u32', 'u32'], return: 'i32' },
      fchown: { arguments: ['i32', 'u32', 'u32'], return: 'i32' },
      chmod: { arguments: ['pointer', 'u32'], return: 'i32' },
      fchmod: { arguments: ['i32', 'u32'], return: 'i32' },
      utimensat: { arguments: ['i32', 'pointer', 'pointer', 'i32'], return: 'i32' },
      futimens: { arguments: ['i32', 'pointer'], return: 'i32' },
      llistxattr: { arguments: ['pointer', 'pointer', 'u64'], return: 'i64' },
      lgetxattr: { arguments: ['pointer', 'pointer', 'pointer', 'u64'], return: 'i64' },
      flistxattr: { arguments: ['i32', 'pointer', 'u64'], return: 'i64' },
      fgetxattr: { arguments: ['i32', 'pointer', 'pointer', 'u64'], return: 'i64' },
      lsetxattr: { arguments: ['pointer', 'pointer', 'pointer', 'u64', 'i32'], return: 'i32' },
      fsetxattr: { arguments: ['i32', 'pointer', 'pointer', 'u64', 'i32'], return: 'i32' },
      lremovexattr: { arguments: ['pointer', 'pointer'], return: 'i32' },
      mount: { arguments: ['pointer', 'pointer', 'pointer', 'u64', 'pointer'], return: 'i32' },
      umount2: { arguments: ['pointer', 'i32'], return: 'i32' },
    });
  } catch (cause) {
    throw Object.assign(unfit('the calls of the C library'), { cause });
  }
}

/** The longest path the kernel takes at once, with its closing zero. */
export const pathMax = 4096;
/** O_PATH, O_DIRECTORY, O_CLOEXEC: only names the place, for directories in front of a path that is too long. */
const pathOnly = 0o10000000 | constants.O_DIRECTORY | 0o2000000;
/** AT_FDCWD and AT_SYMLINK_NOFOLLOW. */
export const atCwd = -100;
export const symlinkNoFollow = 0x100;

export const firstPath = new NativeBuffer(pathMax);
export const secondPath = new NativeBuffer(pathMax);
export const names = new NativeBuffer(65_536);
export const values = new NativeBuffer(65_536);
export const timesBuffer = new NativeBuffer(32);

const errnoPointer = call.__errno_location();

/** Why the last call failed: the kernel's number. To be asked at once. */
export function lastErrno(): number {
  return ffi.getInt32(errnoPointer);
}

/** Throws the error of the last call. */
export function fail(syscall: string, path?: string): never {
  throw systemError(syscall, lastErrno(), path === undefined ? undefined : displayPath(path as RawPath));
}

export function failOn(path: string | number): string | undefined {
  return typeof path === 'string' ? path : undefined;
}

/** Runs `work` with the address of `path`. A longer path than the kernel takes goes through its directories' numbers. */
export function withPath<Result>(path: string, buffer: NativeBuffer, work: (pointer: bigint) => Result): Result {
  if (path.length < pathMax) {
    putPath(path, buffer);
    return work(buffer.pointer);
  }
  let rest = path;
  let directory = -1;
  try {
    while (rest.length >= pathMax) {
      const cut = rest.lastIndexOf('/', pathMax - 64);
      if (cut <= 0) throw systemError('open', 36, displayPath(path as RawPath));
      putPath(rest.slice(0, cut), buffer);
      const next = call.open(buffer.pointer, pathOnly, 0);
      if (next < 0) fail('open', path);
      if (directory >= 0) call.close(directory);
      directory = next;
      rest = `/proc/self/fd/${directory}${rest.slice(cut)}`;
    }
    putPath(rest, buffer);
    return work(buffer.pointer);
  } finally {
    if (directory >= 0) call.close(directory);
  }
}

export function putPath(path: string, buffer: NativeBuffer): void {
  if (path.includes('\0')) throw systemError('open', 22, displayPath(path as RawPath));
  buffer.bytes.write(path, 0, 'latin1');
  buffer.bytes[path.length] = 0;
}
