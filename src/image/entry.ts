import type { RawPath } from '../foundation/brand.ts';

/** What kind of thing a path is. The numbers are those of the manifest format. */
export const entryTypes = ['file', 'directory', 'symlink', 'hardlink', 'character', 'block', 'fifo', 'socket'] as const;
export type EntryType = (typeof entryTypes)[number];

/** The file type bits of `st_mode` (inode(7)), which is 0o170000 of it; a hard link is of no type of its own. */
export const typeBits: Readonly<Record<Exclude<EntryType, 'hardlink'>, number>> = {
  fifo: 0o010000,
  character: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  file: 0o100000,
  symlink: 0o120000,
  socket: 0o140000,
};
const typesByBits = new Map(Object.entries(typeBits).map(([type, bits]) => [bits, type as EntryType]));

/** What `st_mode` says of the type; undefined for what Linux has no name for. */
export function typeOfMode(mode: number): EntryType | undefined {
  return typesByBits.get(mode & 0o170000);
}

/** A moment as the kernel keeps it. Seconds may be negative (before 1970); `nanoseconds` is 0 … 999,999,999. */
export interface Timestamp {
  seconds: number;
  nanoseconds: number;
}

/** One extended attribute; the name as latin1 of its bytes, with its name space (`security.capability`). */
export interface ExtendedAttribute {
  name: string;
  value: Uint8Array;
}

/** One piece of a file's content: the SHA-256 of its bytes (32 raw bytes) and its length. */
export interface ChunkReference {
  hash: Uint8Array;
  length: number;
}

/** A range of a file that holds data; what lies between segments is a hole. */
export interface DataSegment {
  offset: number;
  length: number;
}

/**
 * One path of a version with every attribute. Paths are relative to the root, without a slash in front; the root
 * directory itself is the empty path and comes first. Entries come in the order of `comparePaths`.
 */
export interface Entry {
  path: RawPath;
  type: EntryType;
  /** Permission bits with set-uid, set-gid and sticky: 0 … 0o7777. */
  mode: number;
  uid: number;
  gid: number;
  mtime: Timestamp;
  /** Sorted by name; absent where there are none. ACLs, capabilities and SELinux labels are here, as the kernel has them. */
  xattrs?: ExtendedAttribute[];
  /** Files: length in bytes, holes counted. */
  size?: number;
  /** Files: the content in order, the segments' bytes joined without the holes. */
  chunks?: ChunkReference[];
  /** Files with holes: where the data lies, in order. Absent: one segment from 0 to `size`. */
  segments?: DataSegment[];
  /** Symlinks: target. Hard links: path of the first name in manifest order, which carries all attributes. */
  target?: RawPath;
  /** Devices. */
  major?: number;
  minor?: number;
  /** Fields of a later format, kept as they were read (tag, wire type and value). */
  unknown?: Uint8Array;
}

/** Names entries of a version by their numbers in its order. */
export type WantedEntries = (row: number) => boolean;

/**
 * The order of a manifest: by path components, each by its bytes, a directory before what is in it. (Comparing whole
 * paths would put `a-b` between `a` and `a/c`; with `/` taken as the smallest byte the comparison is one pass.)
 */
export function comparePaths(left: string, right: string): number {
  return compareAt(left, right, sharedStart(left, right));
}

/** As `comparePaths`, of two paths of which it is known how many bytes at their start are the same. */
export function compareAt(left: string, right: string, shared: number): number {
  if (shared === left.length || shared === right.length) return left.length - right.length;
  const a = left.charCodeAt(shared);
  const b = right.charCodeAt(shared);
  return (a === 0x2f ? -1 : a) - (b === 0x2f ? -1 : b);
}

/** How many bytes at the start of two paths are the same. */
export function sharedStart(left: string, right: string): number {
  const shorter = Math.min(left.length, right.length);
  let shared = 0;
  while (shared < shorter && left.charCodeAt(shared) === right.charCodeAt(shared)) shared += 1;
  return shared;
}
