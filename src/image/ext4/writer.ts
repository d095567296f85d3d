import type { ChunkReference } from '../entry.ts';
import { sealAttributeBlock } from './attributes.ts';
import { crc32c } from './crc32c.ts';
import { buildDirectory, type DirectoryRow } from './directory.ts';
import { buildExtentTree, type Extent, extentBlocksFor } from './extents.ts';
import {
  blockSize,
  descriptorBlocksOf,
  type Geometry,
  groupFlags,
  inodeSize,
  parseGeometry,
  sealGeometry,
  superblockLength,
  superblockOffset,
} from './geometry.ts';
import { deviceMap, inodeSeed, writeInode } from './inode.ts';
import { type BlockFile, BlockSpace } from './space.ts';
import { directoryBlocks, type Ext4Tree, isLongTarget, lostAndFoundInode, type Node, rootInode } from './tree.ts';

/** A run of bytes of one chunk and where in the file system it goes. */
export interface ContentPiece {
  chunk: ChunkReference;
  /** Of the chunk. */
  skip: number;
  length: number;
  /** Byte of the file system. */
  position: number;
}

/** Inodes of which a group's bitmap and table are made at once. */
const reservedInodes = 10;
const mostLinksOfDirectory = 65_000;

/**
 * Puts a tree into an empty file system that mke2fs has just made: all but the content of files, whose places go to `place`. What
 * lies where depends on the tree and on mke2fs alone. Throws a `RangeError` where the file system is too small.
 */
export function writeExt4(tree: Ext4Tree, file: BlockFile, place: (piece: ContentPiece) => void): void {
  const first = file.read(0, 1);
  const superblock = Buffer.from(first.subarray(superblockOffset, superblockOffset + superblockLength));
  const geometry = parseGeometry(superblock, file.read(1, descriptorBlocksOf(superblock)));
  const space = new BlockSpace(geometry, file);
  const inodes = new InodeTables(geometry, file);
  freeFirstDirectories(geometry, file, space);
  // Directories lie together, so that a walk reads few places.
  const directories = new Map(
    tree.nodes.flatMap((node) =>
      node.type === 'directory' ? [[node, space.takeExtents(0, directoryBlocks(node))]] : [],
    ),
  );
  for (const node of tree.nodes) {
    const seed = inodeSeed(geometry.seed, node.number);
    const attributeBlock = node.attributes.block === undefined ? 0 : firstOf(space.take(1));
    if (node.attributes.block !== undefined) {
      sealAttributeBlock(node.attributes.block, attributeBlock, geometry.seed);
      file.write(attributeBlock, node.attributes.block);
    }
    const extents = directories.get(node) ?? contentExtents(node, space);
    const places = extents === undefined ? [] : treePlaces(extents.length, space);
    const mapped = extents === undefined ? undefined : buildExtentTree(extents, places, seed);
    for (const { physical, bytes } of mapped?.blocks ?? []) file.write(physical, bytes);
    if (extents !== undefined) writeContent(node, extents, seed, file, place);
    const blocks = (extents ?? []).reduce((sum, { length }) => sum + length, 0) + places.length;
    inodes.put(node, {
      blocks: blocks + (attributeBlock === 0 ? 0 : 1),
      extents: mapped !== undefined,
      map: mapped?.inode ?? plainMap(node),
      attributeBlock,
    });
  }
  inodes.seal(tree.hasLostAndFound);
  space.seal();
  sealGeometry(geometry);
  superblock.copy(first, superblockOffset);
  file.write(0, first);
  file.write(1, geometry.descriptors);
}

/** Root and `lost+found` as mke2fs made them go: both are written anew, the second only where the tree has one. */
function freeFirstDirectories(geometry: Geometry, file: BlockFile, space: BlockSpace): void {
  const table = geometry.groups[0]?.inodeTable ?? 0;
  const bytes = file.read(table, 1);
  for (const number of [rootInode, lostAndFoundInode]) {
    const at = (number - 1) * inodeSize + 0x28;
    const rows = bytes.readUInt16LE(at + 2);
    for (let row = 0; row < rows; row += 1) {
      const extent = at + 12 + row * 12;
      const physical = bytes.readUInt16LE(extent + 6) * 2 ** 32 + bytes.readUInt32LE(extent + 8);
      space.free(physical, bytes.readUInt16LE(extent + 4));
      file.write(physical, Buffer.alloc(bytes.readUInt16LE(extent + 4) * blockSize));
    }
  }
}

function contentExtents(node: Node, space: BlockSpace): Extent[] | undefined {
  if (node.type === 'file') return node.runs.flatMap(({ logical, count }) => space.takeExtents(logical, count));
  return isLongTarget(node) ? space.takeExtents(0, 1) : undefined;
}

/** Blocks for an extent tree; taken after the content, which they therefore never break up. */
function treePlaces(extents: number, space: BlockSpace): number[] {
  return space
    .take(extentBlocksFor(extents))
    .flatMap(({ physical, length }) => Array.from({ length }, (_, index) => physical + index));
}

function writeContent(
  node: Node,
  extents: readonly Extent[],
  seed: number,
  file: BlockFile,
  place: (piece: ContentPiece) => void,
): void {
  if (node.type === 'directory') {
    const bytes = buildDirectory(rowsOf(node), directoryBlocks(node), seed);
    for (const { logical, physical, length } of extents) {
      file.write(physical, bytes.subarray(logical * blockSize, (logical + length) * blockSize));
    }
  } else if (node.type === 'symlink') {
    const bytes = Buffer.alloc(blockSize);
    bytes.write(node.target, 'latin1');
    file.write(extents[0]?.physical ?? 0, bytes);
  } else placeChunks(node, extents, place);
}

function rowsOf(node: Node): DirectoryRow[] {
  const parent = node.parent ?? node;
  return [
    { name: '.', inode: node.number, type: 'directory' },
    { name: '..', inode: parent.number, type: 'directory' },
    ...node.children.map(({ name, node: child }) => ({ name, inode: child.number, type: child.type })),
  ];
}

/** Chunks fill the segments of the file; where they go is cut at each segment's and each extent's end. */
function placeChunks(node: Node, extents: readonly Extent[], place: (piece: ContentPiece) => void): void {
  let segment = 0;
  let within = 0;
  let extent = 0;
  for (const chunk of node.chunks) {
    for (let skip = 0; skip < chunk.length; ) {
      const { offset, length } = node.segments[segment] ?? { offset: 0, length: 0 };
      const at = offset + within;
      while (at >= endOf(extents[extent])) extent += 1;
      const { logical, physical } = extents[extent] as Extent;
      const part = Math.min(chunk.length - skip, length - within, endOf(extents[extent]) - at);
      place({ chunk, skip, length: part, position: physical * blockSize + at - logical * blockSize });
      skip += part;
      within += part;
      if (within === length) {
        segment += 1;
        within = 0;
      }
    }
  }
}

function endOf(extent: Extent | undefined): number {
  if (extent === undefined) throw new RangeError('a file has more content than blocks');
  return (extent.logical + extent.length) * blockSize;
}

function plainMap({ type, target, major, minor }: Node): Uint8Array {
  if (type === 'character' || type === 'block') return deviceMap(major, minor);
  const map = Buffer.alloc(60);
  map.write(target, 'latin1');
  return map;
}

function firstOf(runs: readonly { physical: number }[]): number {
  return runs[0]?.physical ?? 0;
}

/** Inodes by group: tables, bitmaps and counts. */
class InodeTables {
  readonly #geometry: Geometry;
  readonly #file: BlockFile;
  /** The part of a group's table that is in use. */
  readonly #tables = new Map<number, Buffer>();
  readonly #used = new Map<number, number>();

  constructor(geometry: Geometry, file: BlockFile) {
    this.#geometry = geometry;
    this.#file = file;
  }

  put(node: Node, more: { blocks: number; extents: boolean; map: Uint8Array; attributeBlock: number }): void {
    const { seed, inodesPerGroup, groups } = this.#geometry;
    const number = Math.floor((node.number - 1) / inodesPerGroup);
    const index = (node.number - 1) % inodesPerGroup;
    const isDirectory = node.type === 'directory';
    const group = groups[number];
    if (group === undefined) throw new RangeError('there is no inode left');
    // mke2fs has counted its two directories.
    if (isDirectory && node.number > lostAndFoundInode) group.directories += 1;
    const { attributes, ...rest } = node;
    const fields = {
      ...rest,
      ...more,
      size: isDirectory ? directoryBlocks(node) * blockSize : node.size,
      // More subdirectories than can be counted: 1 stands for "many" (`dir_nlink`).
      links: isDirectory && node.links >= mostLinksOfDirectory ? 1 : node.links,
      ...(attributes.inode === undefined ? {} : { attributes: attributes.inode }),
    };
    writeInode(fields, seed, this.#table(number), index * inodeSize);
    this.#used.set(number, Math.max(this.#used.get(number) ?? 0, index + 1));
  }

  #table(number: number): Buffer {
    let table = this.#tables.get(number);
    if (table === undefined) {
      const { inodesPerGroup, groups } = this.#geometry;
      table = Buffer.alloc(inodesPerGroup * inodeSize);
      // Of the first group mke2fs has written inodes of its own: the journal, what lets the file system grow.
      if (number === 0) this.#file.read(groups[0]?.inodeTable ?? 0, 1).copy(table);
      this.#tables.set(number, table);
    }
    return table;
  }

  seal(hasLostAndFound: boolean): void {
    const { groups, inodesPerGroup, seed } = this.#geometry;
    for (const [number, table] of this.#tables) {
      const group = groups[number];
      if (group === undefined) continue;
      const used = Math.max(this.#used.get(number) ?? 0, number === 0 ? lostAndFoundInode : 0);
      const bitmap = Buffer.alloc(blockSize, 0xff);
      for (let index = 0; index < inodesPerGroup; index += 1) {
        const taken = index < used && !(number === 0 && index === lostAndFoundInode - 1 && !hasLostAndFound);
        if (!taken) bitmap[index >> 3] = (bitmap[index >> 3] as number) & ~(1 << (index & 7));
      }
      if (number === 0 && !hasLostAndFound) {
        table.fill(0, reservedInodes * inodeSize, lostAndFoundInode * inodeSize);
        group.directories -= 1;
      }
      group.freeInodes = inodesPerGroup - used + (number === 0 && !hasLostAndFound ? 1 : 0);
      group.unusedInodes = inodesPerGroup - used;
      group.flags &= ~groupFlags.inodesUninitialised;
      group.inodeBitmapChecksum = crc32c(seed, bitmap, 0, inodesPerGroup / 8);
      this.#file.write(group.inodeBitmap, bitmap);
      this.#file.write(group.inodeTable, table.subarray(0, Math.ceil((used * inodeSize) / blockSize) * blockSize));
    }
    // The image file is new and reads as zeros wherever nothing was written: no table needs to be cleared later.
    for (const group of groups) group.flags |= groupFlags.inodesZeroed;
  }
}
