import { crc32c } from './crc32c.ts';
import { blockSize } from './geometry.ts';

/** A run of blocks of a file: `length` blocks from block `logical` of the file lie from block `physical` of the file system on. */
export interface Extent {
  logical: number;
  physical: number;
  length: number;
}

/** Blocks that one extent can hold. */
export const longestExtent = 32_768;
const inInode = 4;
const inBlock = Math.floor((blockSize - 16) / 12);

/** Blocks that the tree of so many extents needs beside the inode. */
export function extentBlocksFor(extents: number): number {
  let total = 0;
  for (let nodes = extents; nodes > inInode; ) {
    nodes = Math.ceil(nodes / inBlock);
    total += nodes;
  }
  return total;
}

/** The tree of a file's extents (`ext4/ifork.rst`): 60 bytes for the inode, and the blocks that hang from it. */
export interface ExtentTree {
  inode: Buffer;
  blocks: { physical: number; bytes: Buffer }[];
}

/**
 * @param places blocks for the tree, as many as `extentBlocksFor` says
 * @param seed checksum register of the inode (number and generation already in it)
 */
export function buildExtentTree(extents: readonly Extent[], places: readonly number[], seed: number): ExtentTree {
  const blocks: ExtentTree['blocks'] = [];
  let depth = 0;
  let level = extents;
  for (let used = 0; level.length > inInode; depth += 1) {
    const above: Extent[] = [];
    for (let from = 0; from < level.length; from += inBlock) {
      const rows = level.slice(from, from + inBlock);
      const bytes = Buffer.alloc(blockSize);
      writeNode(bytes, rows, inBlock, depth);
      const tail = 12 + inBlock * 12;
      bytes.writeUInt32LE(crc32c(seed, bytes, 0, tail), tail);
      const physical = places[used] as number;
      used += 1;
      blocks.push({ physical, bytes });
      above.push({ logical: rows[0]?.logical ?? 0, physical, length: 0 });
    }
    level = above;
  }
  const inode = Buffer.alloc(60);
  writeNode(inode, level, inInode, depth);
  return { inode, blocks };
}

function writeNode(into: Buffer, rows: readonly Extent[], most: number, depth: number): void {
  into.writeUInt16LE(0xf30a, 0);
  into.writeUInt16LE(rows.length, 2);
  into.writeUInt16LE(most, 4);
  into.writeUInt16LE(depth, 6);
  rows.forEach(({ logical, physical, length }, index) => {
    const at = 12 + index * 12;
    const high = Math.floor(physical / 2 ** 32);
    into.writeUInt32LE(logical, at);
    if (depth === 0) {
      into.writeUInt16LE(length, at + 4);
      into.writeUInt16LE(high, at + 6);
      into.writeUInt32LE(physical % 2 ** 32, at + 8);
    } else {
      into.writeUInt32LE(physical % 2 ** 32, at + 4);
      into.writeUInt16LE(high, at + 8);
    }
  });
}
