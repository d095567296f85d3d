import type { RawPath } from '../foundation/brand.ts';
import {
  atCwd,
  call,
  fail,
  failOn,
  firstPath,
  lastErrno,
  names,
  symlinkNoFollow,
  timesBuffer,
  values,
  withPath,
} from './binding.ts';
import { systemError } from './library.ts';

/** Owner of a path (a symbolic link itself) or an open file. */
export function setOwner(path: RawPath | number, uid: number, gid: number): void {
  const done =
    typeof path === 'number'
      ? call.fchown(path, uid, gid)
      : withPath(path, firstPath, (pointer) => call.lchown(pointer, uid, gid));
  if (done < 0) fail('chown', failOn(path));
}

/** Permission bits (0 … 0o7777) of a path, which must not be a symbolic link, or an open file. */
export function setMode(path: RawPath | number, mode: number): void {
  const done =
    typeof path === 'number'
      ? call.fchmod(path, mode)
      : withPath(path, firstPath, (pointer) => call.chmod(pointer, mode));
  if (done < 0) fail('chmod', failOn(path));
}

/** Time of last change of a path (a symbolic link itself) or an open file; the access time is left as it is. */
export function setModifiedTime(path: RawPath | number, seconds: number, nanoseconds: number): void {
  const { view, pointer } = timesBuffer;
  // First the access time: UTIME_OMIT.
  view.setBigInt64(8, 0x3ffffffen, true);
  view.setInt32(16, seconds | 0, true);
  view.setInt32(20, Math.floor(seconds / 0x1_0000_0000), true);
  view.setInt32(24, nanoseconds, true);
  const done =
    typeof path === 'number'
      ? call.futimens(path, pointer)
      : withPath(path, firstPath, (at) => call.utimensat(atCwd, at, pointer, symlinkNoFollow));
  if (done < 0) fail('utimensat', failOn(path));
}

/** XFS shows the ACLs that all file systems have as `system.posix_acl_…` once more under these names, in its own form. */
const shownTwice: ReadonlySet<string> = new Set(['trusted.SGI_ACL_FILE', 'trusted.SGI_ACL_DEFAULT']);

/** Extended attributes of a path (a symbolic link itself) or an open file, sorted by name. Names are latin1 of their bytes. */
export function readXattrs(path: RawPath | number): { name: string; value: Uint8Array }[] {
  if (typeof path === 'number') {
    const listed = Number(call.flistxattr(path, names.pointer, BigInt(names.size)));
    if (listed === 0) return [];
    return collectXattrs(path, listed, (name) => call.fgetxattr(path, name, values.pointer, BigInt(values.size)));
  }
  return withPath(path, firstPath, (pointer) => {
    const listed = Number(call.llistxattr(pointer, names.pointer, BigInt(names.size)));
    if (listed === 0) return [];
    return collectXattrs(path, listed, (name) => call.lgetxattr(pointer, name, values.pointer, BigInt(values.size)));
  });
}

/** What `read` gives of the names that were listed in `length` bytes. */
function collectXattrs(
  path: RawPath | number,
  length: number,
  read: (name: bigint) => bigint,
): { name: string; value: Uint8Array }[] {
  if (length < 0) return [95, 38].includes(lastErrno()) ? [] : fail('listxattr', failOn(path));
  const found: { name: string; value: Uint8Array }[] = [];
  for (let at = 0; at < length; ) {
    const end = names.bytes.indexOf(0, at);
    const name = names.bytes.toString('latin1', at, end);
    const start = at;
    at = end + 1;
    if (shownTwice.has(name)) continue;
    const size = Number(read(names.at(start)));
    // One that went away in between is no longer there; anything else is a failure.
    if (size >= 0) {
      found.push({ name, value: new Uint8Array(values.bytes.subarray(0, size)) });
    } else if (lastErrno() !== 61) {
      fail('getxattr', failOn(path));
    }
  }
  return found.sort((left, right) => (left.name < right.name ? -1 : 1));
}

/** Sets an extended attribute of a path (a symbolic link itself) or an open file. */
export function setXattr(path: RawPath | number, name: string, value: Uint8Array): void {
  if (value.length > values.size) throw systemError('setxattr', 7, failOn(path));
  names.bytes.write(name, 0, 'latin1');
  names.bytes[name.length] = 0;
  values.bytes.set(value);
  const done =
    typeof path === 'number'
      ? call.fsetxattr(path, names.pointer, values.pointer, BigInt(value.length), 0)
      : withPath(path, firstPath, (pointer) =>
          call.lsetxattr(pointer, names.pointer, values.pointer, BigInt(value.length), 0),
        );
  if (done < 0) fail(`setxattr ${name}`, failOn(path));
}

export function removeXattr(path: RawPath, name: string): void {
  names.bytes.write(name, 0, 'latin1');
  names.bytes[name.length] = 0;
  if (withPath(path, firstPath, (pointer) => call.lremovexattr(pointer, names.pointer)) < 0) fail('removexattr', path);
}
