import type { RawPath } from '../foundation/brand.ts';
import { type Entry, typeOfMode } from '../image/entry.ts';
import { readXattrs, removeXattr } from '../native/attributes.ts';
import { type FileStatus, readLink, status, statusOf } from '../native/status.ts';
import { explain, setAttributes } from './set-attributes.ts';

/** Whether owner, mode, time and extended attributes of what is there are those of an entry of the same type. */
export function hasAttributes(entry: Entry, path: RawPath, status: FileStatus): boolean {
  if (entry.type !== 'symlink' && (status.mode & 0o7777) !== entry.mode) return false;
  if (status.uid !== entry.uid || status.gid !== entry.gid || !hasTime(entry, status)) return false;
  const [expected, actual] = [entry.xattrs ?? [], readXattrs(path)];
  if (expected.length !== actual.length) return false;
  // Both are sorted by name.
  return expected.every(({ name, value }, at) => actual[at]?.name === name && sameBytes(value, actual[at].value));
}

/** Whether something was last changed when the entry says. */
export function hasTime({ mtime }: Entry, status: FileStatus): boolean {
  return status.mtimeSeconds === mtime.seconds && status.mtimeNanoseconds === mtime.nanoseconds;
}

/** Whether what is there is of the entry's type, a link with its target, a device with its number. */
export function isOfKind(entry: Entry, path: RawPath, status: FileStatus): boolean {
  if (typeOfMode(status.mode) !== entry.type) return false;
  if (entry.type === 'symlink') return readLink(path) === entry.target;
  if (entry.type !== 'character' && entry.type !== 'block') return true;
  return status.major === (entry.major ?? 0) && status.minor === (entry.minor ?? 0);
}

/**
 * Makes the attributes of what is there those of the entry, whatever they were: also what came from a directory's default ACL or set-group-id bit. Owner and mode
 * that it has already are not set once more. `fd`: where it is open. Returns what this file system cannot keep.
 */
export function putAttributes(entry: Entry, path: RawPath, fd?: number): string[] {
  const { type, mode, uid, gid, mtime, xattrs } = entry;
  const place = fd ?? path;
  removeOthers(entry, path, place);
  const found = statusAt(place, path);
  const creator = { uid: found.uid, gid: found.gid, umask: 0 };
  const kind = type === 'symlink' ? 'symlink' : (found.mode & 0o7777) === mode ? 'file' : 'other';
  return setAttributes(place, path, { mode, uid, gid, ...mtime, xattrs }, creator, kind);
}

function statusAt(place: RawPath | number, path: RawPath): FileStatus {
  try {
    return typeof place === 'number' ? statusOf(place) : status(place);
  } catch (error) {
    throw explain(error, path);
  }
}

function removeOthers({ xattrs }: Entry, path: RawPath, place: RawPath | number): void {
  try {
    const there = readXattrs(place);
    if (there.length === 0) return;
    const wanted = new Set(xattrs?.map(({ name }) => name));
    for (const { name } of there) if (!wanted.has(name)) removeIfThere(path, name);
  } catch (error) {
    throw explain(error, path);
  }
}

/** XFS shows one ACL under two names, and both go at once. */
function removeIfThere(path: RawPath, name: string): void {
  try {
    removeXattr(path, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENODATA') throw error;
  }
}

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}
