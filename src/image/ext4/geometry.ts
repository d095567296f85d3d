import { FormatError } from '../format-error.ts';
import { crc32c, crc32cOfNumbers } from './crc32c.ts';

/**
 * The fixed structures of an ext4 file system as mke2fs made them: superblock and group descriptors. Offsets and names from the
 * kernel's `Documentation/filesystems/ext4/` (super.rst, group_descr.rst) and `fs/ext4/ext4.h`.
 */

export const blockSize = 4096;
export const inodeSize = 256;
export const superblockOffset = 1024;
export const superblockLength = 1024;
const descriptorSize = 64;

export const groupFlags = { inodesUninitialised: 1, blocksUninitialised: 2, inodesZeroed: 4 } as const;

/** One group of blocks, changed in place while a tree is laid out. */
export interface Group {
  readonly blockBitmap: number;
  readonly inodeBitmap: number;
  readonly inodeTable: number;
  freeBlocks: number;
  freeInodes: number;
  directories: number;
  flags: number;
  unusedInodes: number;
  blockBitmapChecksum: number;
  inodeBitmapChecksum: number;
}

export interface Geometry {
  readonly superblock: Buffer;
  readonly groups: Group[];
  /** Raw descriptors: what is not in `Group` is kept. */
  readonly descriptors: Buffer;
  readonly blocks: number;
  readonly blocksPerGroup: number;
  readonly inodesPerGroup: number;
  readonly inodes: number;
  /** Of the table of descriptors, and what is reserved behind it to let it grow. */
  readonly descriptorBlocks: number;
  readonly reservedDescriptorBlocks: number;
  /** Where every checksum begins. */
  readonly seed: number;
}

/** Blocks that the table of descriptors takes; it begins in block 1. */
export function descriptorBlocksOf(superblock: Buffer): number {
  return Math.ceil((groupCount(superblock) * descriptorSize) / blockSize);
}

/** Reads what mke2fs wrote. Throws a `FormatError` where it is not of the kind that we ask mke2fs for. */
export function parseGeometry(superblock: Buffer, descriptors: Buffer): Geometry {
  if (superblock.readUInt16LE(0x38) !== 0xef53) throw new FormatError('it is no ext4 file system');
  if (superblock.readUInt32LE(0x18) !== 2) throw new FormatError('its blocks are not 4 KiB');
  if (superblock.readUInt16LE(0x58) !== inodeSize) throw new FormatError('its inodes are not 256 bytes');
  if (superblock.readUInt16LE(0xfe) !== descriptorSize) throw new FormatError('it has no 64-bit descriptors');
  if ((superblock.readUInt32LE(0x64) & 0x400) === 0) throw new FormatError('it has no metadata checksums');
  const seeded = (superblock.readUInt32LE(0x60) & 0x2000) !== 0;
  const count = groupCount(superblock);
  return {
    superblock,
    descriptors,
    groups: Array.from({ length: count }, (_, group) => parseGroup(descriptors, group * descriptorSize)),
    blocks: blockCount(superblock),
    blocksPerGroup: superblock.readUInt32LE(0x20),
    inodesPerGroup: superblock.readUInt32LE(0x28),
    inodes: superblock.readUInt32LE(0),
    descriptorBlocks: descriptorBlocksOf(superblock),
    reservedDescriptorBlocks: superblock.readUInt16LE(0xce),
    seed: seeded ? superblock.readUInt32LE(0x270) : crc32c(0xffffffff, superblock, 0x68, 0x78),
  };
}

/** Puts the groups' counts and checksums back into `descriptors` and `superblock`. */
export function sealGeometry(geometry: Geometry): void {
  const { superblock, descriptors, groups, seed } = geometry;
  groups.forEach((group, number) => {
    renderGroup(group, descriptors, number * descriptorSize);
    const descriptor = descriptors.subarray(number * descriptorSize, (number + 1) * descriptorSize);
    descriptor.writeUInt16LE(0, 0x1e);
    descriptor.writeUInt16LE(crc32c(crc32cOfNumbers(seed, number), descriptor) & 0xffff, 0x1e);
  });
  const freeBlocks = groups.reduce((sum, group) => sum + group.freeBlocks, 0);
  superblock.writeUInt32LE(freeBlocks % 2 ** 32, 0x0c);
  superblock.writeUInt32LE(Math.floor(freeBlocks / 2 ** 32), 0x158);
  superblock.writeUInt32LE(
    groups.reduce((sum, group) => sum + group.freeInodes, 0),
    0x10,
  );
  superblock.writeUInt32LE(crc32c(0xffffffff, superblock, 0, 0x3fc), 0x3fc);
}

function groupCount(superblock: Buffer): number {
  return Math.ceil((blockCount(superblock) - superblock.readUInt32LE(0x14)) / superblock.readUInt32LE(0x20));
}

function blockCount(superblock: Buffer): number {
  return superblock.readUInt32LE(4) + superblock.readUInt32LE(0x150) * 2 ** 32;
}

function parseGroup(from: Buffer, at: number): Group {
  const wide = (low: number, high: number) => from.readUInt32LE(at + low) + from.readUInt32LE(at + high) * 2 ** 32;
  const pair = (low: number, high: number) => from.readUInt16LE(at + low) + from.readUInt16LE(at + high) * 65_536;
  return {
    blockBitmap: wide(0, 0x20),
    inodeBitmap: wide(4, 0x24),
    inodeTable: wide(8, 0x28),
    freeBlocks: pair(0x0c, 0x2c),
    freeInodes: pair(0x0e, 0x2e),
    directories: pair(0x10, 0x30),
    flags: from.readUInt16LE(at + 0x12),
    unusedInodes: pair(0x1c, 0x32),
    blockBitmapChecksum: pair(0x18, 0x38),
    inodeBitmapChecksum: pair(0x1a, 0x3a),
  };
}

function renderGroup(group: Group, into: Buffer, at: number): void {
  const pair = (value: number, low: number, high: number) => {
    into.writeUInt16LE(value % 65_536, at + low);
    into.writeUInt16LE(Math.floor(value / 65_536), at + high);
  };
  pair(group.freeBlocks, 0x0c, 0x2c);
  pair(group.freeInodes, 0x0e, 0x2e);
  pair(group.directories, 0x10, 0x30);
  into.writeUInt16LE(group.flags, at + 0x12);
  pair(group.unusedInodes, 0x1c, 0x32);
  pair(group.blockBitmapChecksum, 0x18, 0x38);
  pair(group.inodeBitmapChecksum, 0x1a, 0x3a);
}
