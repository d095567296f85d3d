import { crc32c } from './ext4/crc32c.ts';
import { FormatError } from './format-error.ts';

/**
 * Another UUID for a file system whose blocks are only read: what xfs_admin -U and btrfstune -M write, made in each block when it is given out. Both
 * file systems keep in every block the UUID that they were made with, and say in the superblock that another one is theirs. Offsets from the
 * kernel's `fs/xfs/libxfs/xfs_format.h`, `xfs_log_format.h` and `include/uapi/linux/btrfs_tree.h`.
 */
export interface UuidChange {
  /** Changes blocks in place. They come whole: position and length are multiples of `wholeBlock`. */
  apply(position: number, blocks: Buffer): void;
}

/** Bytes of which all that is changed is a part, and no more than one. */
export const wholeBlock = 4096;

/** What `uuidChange` must see of a file system: this many bytes from its beginning. */
export const headLength = wholeBlock;

/** Throws a `FormatError` where the file system is not one as Imprint makes it. */
export function uuidChange(fileSystem: 'xfs' | 'btrfs', head: Buffer, size: number, uuid: string): UuidChange {
  return fileSystem === 'xfs' ? xfsChange(head, bytesOf(uuid)) : btrfsChange(size, bytesOf(uuid));
}

const xfs = {
  magic: Buffer.from('XFSB'),
  uuid: 32,
  incompatible: 216,
  checksum: 224,
  metaUuid: 248,
  hasMetaUuid: 0x4,
} as const;
const xfsLog = { magic: 0xfeedbabe, sector: 512, uuid: 304 } as const;

/** Each allocation group begins with a superblock. The log is clean, but the kernel wants its last record to be of this file system. */
function xfsChange(head: Buffer, uuid: Buffer): UuidChange {
  if (!head.subarray(0, 4).equals(xfs.magic) || (head.readUInt16BE(100) & 0xf) !== 5)
    throw new FormatError('it is no xfs of version 5');
  const blockSize = head.readUInt32BE(4);
  const logStart = head.readBigUInt64BE(48);
  const groupBlocks = head.readUInt32BE(84);
  const logBlocks = head.readUInt32BE(96);
  const sectorSize = head.readUInt16BE(102);
  const groupBits = BigInt(head.readUInt8(124));
  if (blockSize !== wholeBlock || logStart === 0n || sectorSize > wholeBlock)
    throw new FormatError('its blocks or its log are not as Imprint makes them');
  const old = Buffer.from(head.subarray(xfs.uuid, xfs.uuid + 16));
  const group = Number(logStart >> groupBits) * groupBlocks;
  const logBegin = (group + Number(logStart & ((1n << groupBits) - 1n))) * blockSize;
  const logEnd = logBegin + logBlocks * blockSize;
  const eachBlock = (position: number, block: Buffer) => {
    if (position % (groupBlocks * blockSize) === 0 && block.subarray(0, 4).equals(xfs.magic))
      changeXfsSuperblock(block.subarray(0, sectorSize), uuid);
    if (position < logBegin || position >= logEnd) return;
    for (let at = 0; at < wholeBlock; at += xfsLog.sector) {
      const owner = block.subarray(at + xfsLog.uuid, at + xfsLog.uuid + 16);
      if (block.readUInt32BE(at) === xfsLog.magic && owner.equals(old)) uuid.copy(owner);
    }
  };
  return { apply: (position, blocks) => forBlocks(position, blocks, eachBlock) };
}

function changeXfsSuperblock(sector: Buffer, uuid: Buffer): void {
  const features = sector.readUInt32BE(xfs.incompatible);
  if ((features & xfs.hasMetaUuid) === 0) sector.copy(sector, xfs.metaUuid, xfs.uuid, xfs.uuid + 16);
  uuid.copy(sector, xfs.uuid);
  sector.writeUInt32BE(features | xfs.hasMetaUuid, xfs.incompatible);
  sector.writeUInt32LE(0, xfs.checksum);
  sector.writeUInt32LE(checksum(sector), xfs.checksum);
}

const btrfs = {
  /** Where superblocks lie: 64 KiB, 64 MiB, 256 GiB. */
  copies: [2 ** 16, 2 ** 26, 2 ** 38],
  magic: Buffer.from('_BHRfS_M'),
  uuid: 32,
  position: 48,
  magicAt: 64,
  incompatible: 188,
  checksumType: 196,
  metaUuid: 571,
  hasMetaUuid: 1n << 10n,
} as const;

function btrfsChange(size: number, uuid: Buffer): UuidChange {
  const copies: readonly number[] = btrfs.copies.filter((position) => position + wholeBlock <= size);
  const eachBlock = (position: number, block: Buffer) => {
    if (!copies.includes(position)) return;
    if (!block.subarray(btrfs.magicAt, btrfs.magicAt + 8).equals(btrfs.magic)) {
      // Only the first must be there.
      if (position !== copies[0]) return;
      throw new FormatError('it is no btrfs');
    }
    if (block.readUInt16LE(btrfs.checksumType) !== 0) throw new FormatError('its checksums are not crc32c');
    const features = block.readBigUInt64LE(btrfs.incompatible);
    if ((features & btrfs.hasMetaUuid) === 0n) block.copy(block, btrfs.metaUuid, btrfs.uuid, btrfs.uuid + 16);
    uuid.copy(block, btrfs.uuid);
    block.writeBigUInt64LE(features | btrfs.hasMetaUuid, btrfs.incompatible);
    block.writeUInt32LE(checksum(block.subarray(32)), 0);
  };
  return { apply: (position, blocks) => forBlocks(position, blocks, eachBlock) };
}

function forBlocks(position: number, blocks: Buffer, work: (position: number, block: Buffer) => void): void {
  for (let at = 0; at < blocks.length; at += wholeBlock) work(position + at, blocks.subarray(at, at + wholeBlock));
}

function checksum(bytes: Buffer): number {
  return (crc32c(0xffffffff, bytes) ^ 0xffffffff) >>> 0;
}

function bytesOf(uuid: string): Buffer {
  const bytes = Buffer.from(uuid.replaceAll('-', ''), 'hex');
  if (bytes.length !== 16) throw new RangeError(`“${uuid}” is no UUID`);
  return bytes;
}
