import { type EntryType, type Timestamp, typeBits } from '../entry.ts';
import { FormatError } from '../format-error.ts';
import { crc32c, crc32cOfNumbers } from './crc32c.ts';
import { inodeSize } from './geometry.ts';

/** What an inode of our own making holds (`ext4/inodes.rst`). */
export interface InodeFields {
  number: number;
  type: Exclude<EntryType, 'hardlink'>;
  mode: number;
  uid: number;
  gid: number;
  mtime: Timestamp;
  links: number;
  /** Bytes: of files, directories, targets of symlinks. */
  size: number;
  /** All blocks that belong to it: content, extent tree, attributes. */
  blocks: number;
  /** Whether `map` is an extent tree. */
  extents: boolean;
  /** 60 bytes: an extent tree, a short symlink's target, or a device's number. */
  map: Uint8Array;
  attributeBlock: number;
  /** 96 bytes behind the fields. */
  attributes?: Uint8Array;
}

const extentsFlag = 0x80000;
const extraSize = 32;

/** Checksum register of everything that belongs to an inode: number and generation, which is 0 in all that we make. */
export function inodeSeed(seed: number, number: number): number {
  return crc32cOfNumbers(seed, number, 0);
}

/** Writes the 256 bytes of an inode at `at`. Throws a `FormatError` for a time that ext4 does not know (before 1901, after 2446). */
export function writeInode(fields: InodeFields, seed: number, into: Buffer, at: number): void {
  const bytes = into.subarray(at, at + inodeSize);
  bytes.fill(0);
  const { seconds, nanoseconds } = fields.mtime;
  const low = seconds | 0;
  const epoch = (seconds - low) / 2 ** 32;
  if (epoch < 0 || epoch > 3) throw new FormatError(`its time (${seconds} s) is none that ext4 can hold`);
  const extra = (nanoseconds * 4 + epoch) >>> 0;
  bytes.writeUInt16LE(typeBits[fields.type] | fields.mode, 0x00);
  bytes.writeUInt16LE(fields.uid & 0xffff, 0x02);
  bytes.writeUInt32LE(fields.size % 2 ** 32, 0x04);
  for (const offset of [0x08, 0x0c, 0x10, 0x90]) bytes.writeInt32LE(low, offset);
  bytes.writeUInt16LE(fields.gid & 0xffff, 0x18);
  bytes.writeUInt16LE(fields.links, 0x1a);
  const sectors = fields.blocks * 8;
  bytes.writeUInt32LE(sectors % 2 ** 32, 0x1c);
  bytes.writeUInt32LE(fields.extents ? extentsFlag : 0, 0x20);
  bytes.set(fields.map, 0x28);
  bytes.writeUInt32LE(fields.attributeBlock % 2 ** 32, 0x68);
  bytes.writeUInt32LE(Math.floor(fields.size / 2 ** 32), 0x6c);
  bytes.writeUInt16LE(Math.floor(sectors / 2 ** 32), 0x74);
  bytes.writeUInt16LE(Math.floor(fields.attributeBlock / 2 ** 32), 0x76);
  bytes.writeUInt16LE(fields.uid >>> 16, 0x78);
  bytes.writeUInt16LE(fields.gid >>> 16, 0x7a);
  bytes.writeUInt16LE(extraSize, 0x80);
  for (const offset of [0x84, 0x88, 0x8c, 0x94]) bytes.writeUInt32LE(extra, offset);
  if (fields.attributes !== undefined) bytes.set(fields.attributes, 128 + extraSize);
  const checksum = crc32c(inodeSeed(seed, fields.number), bytes);
  bytes.writeUInt16LE(checksum & 0xffff, 0x7c);
  bytes.writeUInt16LE(checksum >>> 16, 0x82);
}

/** A device's number as Linux keeps it in an inode: the old form where it fits, else the new one. */
export function deviceMap(major: number, minor: number): Buffer {
  const map = Buffer.alloc(60);
  if (major < 256 && minor < 256) map.writeUInt32LE((major << 8) | minor, 0);
  else map.writeUInt32LE(((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0, 4);
  return map;
}
