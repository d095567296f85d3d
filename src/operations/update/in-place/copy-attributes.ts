import type { RawPath } from '../../../foundation/brand.ts';
import { readXattrs, removeXattr, setMode, setModifiedTime, setOwner, setXattr } from '../../../native/attributes.ts';
import type { FileStatus } from '../../../native/status.ts';

/** Gives a directory the attributes of another; both paths absolute. What it has already is not written again. */
export function copyAttributes(from: RawPath, source: FileStatus, to: RawPath, target: FileStatus): void {
  if (source.uid !== target.uid || source.gid !== target.gid) setOwner(to, source.uid, source.gid);
  const wanted = readXattrs(from);
  const there = readXattrs(to);
  for (const { name } of there) if (!wanted.some((other) => other.name === name)) removeXattr(to, name);
  for (const { name, value } of wanted) {
    const old = there.find((other) => other.name === name)?.value;
    if (old === undefined || !Buffer.from(old).equals(value)) setXattr(to, name, value);
  }
  // An ACL is kept in the mode's bits too, so the mode comes after it.
  setMode(to, source.mode & 0o7777);
  setModifiedTime(to, source.mtimeSeconds, source.mtimeNanoseconds);
}
