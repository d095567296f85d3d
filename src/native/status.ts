import type { RawPath } from '../foundation/brand.ts';
import { atCwd, call, fail, firstPath, putPath, symlinkNoFollow, values, withPath } from './binding.ts';
import { close, open, openFlags } from './files.ts';
import { NativeBuffer } from './native-buffer.ts';

/** Whether `mode` is a directory's. */
export function isDirectory(mode: number): boolean {
  return (mode & 0o170000) === 0o040000;
}

/** Whether `mode` is a regular file's. */
export function isFile(mode: number): boolean {
  return (mode & 0o170000) === 0o100000;
}

const emptyPath = 0x1000;
const statxBasicStats = 0x7ff;
const statxMountId = 0x1000;
/** STATX_ATTR_IMMUTABLE and STATX_ATTR_APPEND. */
const lockingAttributes = 0x30;
const statusBuffer = new NativeBuffer(256);
const directoryBuffer = new NativeBuffer(65_536);

/** What the kernel knows of a path or an open file. */
export interface FileStatus {
  /** Type and permission bits. */
  mode: number;
  links: number;
  uid: number;
  gid: number;
  size: number;
  /** Units of 512 bytes that are really held. */
  blocks: number;
  inode: bigint;
  /** The device that holds it, as `major:minor` in one number. */
  device: number;
  mountId: number;
  mtimeSeconds: number;
  mtimeNanoseconds: number;
  ctimeSeconds: number;
  ctimeNanoseconds: number;
  /** Of a device node. */
  major: number;
  minor: number;
  /** Protected from changes: immutable or append-only (`chattr +i`, `+a`). */
  locked: boolean;
}

/** Status of a path; a symbolic link is not followed. */
export function status(path: RawPath): FileStatus {
  const found = withPath(path, firstPath, (pointer) =>
    call.statx(atCwd, pointer, symlinkNoFollow, statxBasicStats | statxMountId, statusBuffer.pointer),
  );
  return found < 0 ? fail('statx', path) : readStatus();
}

/** Status of an open file. */
export function statusOf(fd: number): FileStatus {
  firstPath.bytes[0] = 0;
  const found = call.statx(fd, firstPath.pointer, emptyPath, statxBasicStats | statxMountId, statusBuffer.pointer);
  return found < 0 ? fail('statx') : readStatus();
}

/** `struct statx` of linux/stat.h. */
function readStatus(): FileStatus {
  const view = statusBuffer.view;
  return {
    mode: view.getUint16(28, true),
    links: view.getUint32(16, true),
    uid: view.getUint32(20, true),
    gid: view.getUint32(24, true),
    size: view.getUint32(40, true) + view.getUint32(44, true) * 0x1_0000_0000,
    blocks: view.getUint32(48, true) + view.getUint32(52, true) * 0x1_0000_0000,
    inode: view.getBigUint64(32, true),
    device: view.getUint32(136, true) * 0x10_0000 + view.getUint32(140, true),
    mountId: view.getUint32(144, true) + view.getUint32(148, true) * 0x1_0000_0000,
    mtimeSeconds: view.getUint32(112, true) + view.getInt32(116, true) * 0x1_0000_0000,
    mtimeNanoseconds: view.getUint32(120, true),
    ctimeSeconds: view.getUint32(96, true) + view.getInt32(100, true) * 0x1_0000_0000,
    ctimeNanoseconds: view.getUint32(104, true),
    major: view.getUint32(128, true),
    minor: view.getUint32(132, true),
    locked: (view.getUint32(8, true) & lockingAttributes) !== 0,
  };
}

/** Status of what `name` is in an open directory; a symbolic link is not followed. For walks: no path to go along. */
export function statusIn(directory: number, name: string): FileStatus {
  putPath(name, firstPath);
  const found = call.statx(
    directory,
    firstPath.pointer,
    symlinkNoFollow,
    statxBasicStats | statxMountId,
    statusBuffer.pointer,
  );
  return found < 0 ? fail('statx', name) : readStatus();
}

/** Opens the directory `name` of an open directory; never through a symbolic link. */
export function openDirectoryIn(directory: number, name: string): number {
  putPath(name, firstPath);
  const fd = call.openat(
    directory,
    firstPath.pointer,
    openFlags.readOnly | openFlags.directory | openFlags.noFollow,
    0,
  );
  return fd < 0 ? fail('open', name) : fd;
}

/** Names in a directory, without `.` and `..`, in the order of the file system. */
export function readDirectory(path: RawPath): string[] {
  const fd = open(path, openFlags.readOnly | openFlags.directory);
  try {
    return namesIn(fd);
  } finally {
    close(fd);
  }
}

/** Names in an open directory that was not read yet. */
export function namesIn(directory: number): string[] {
  const found: string[] = [];
  for (;;) {
    const got = Number(call.getdents64(directory, directoryBuffer.pointer, BigInt(directoryBuffer.size)));
    if (got < 0) fail('getdents64');
    if (got === 0) return found;
    collectNames(got, found);
  }
}

/** `struct linux_dirent64`: inode (8), offset (8), record length (2), type (1), name closed by a zero. */
function collectNames(length: number, found: string[]): void {
  const { bytes, view } = directoryBuffer;
  for (let at = 0; at < length; ) {
    const record = view.getUint16(at + 16, true);
    const end = bytes.indexOf(0, at + 19);
    const name = bytes.toString('latin1', at + 19, end);
    if (name !== '.' && name !== '..') found.push(name);
    at += record;
  }
}

/** Target of a symbolic link. */
export function readLink(path: RawPath): RawPath {
  const length = Number(
    withPath(path, firstPath, (pointer) => call.readlink(pointer, values.pointer, BigInt(values.size))),
  );
  return length < 0 ? fail('readlink', path) : (values.bytes.toString('latin1', 0, length) as RawPath);
}
