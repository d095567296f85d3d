import { crc32c } from './crc32c.ts';
import type { Extent } from './extents.ts';
import { longestExtent } from './extents.ts';
import { blockSize, type Geometry, groupFlags } from './geometry.ts';

/** Reads and writes blocks of the file system that is made. */
export interface BlockFile {
  read(block: number, count: number): Buffer;
  write(block: number, bytes: Uint8Array): void;
}

/** Gives out free blocks in rising order, and keeps the bitmaps. */
export class BlockSpace {
  readonly #geometry: Geometry;
  readonly #file: BlockFile;
  /** Bitmaps of the groups that were touched. */
  readonly #bitmaps = new Map<number, Buffer>();
  #next: number;

  constructor(geometry: Geometry, file: BlockFile) {
    this.#geometry = geometry;
    this.#file = file;
    this.#next = 0;
  }

  /** `count` blocks as runs, in rising order. Throws a `RangeError` where the file system is full: it was measured too small. */
  take(count: number): { physical: number; length: number }[] {
    const runs: { physical: number; length: number }[] = [];
    for (let left = count; left > 0; ) {
      const physical = this.#findFree();
      let length = 0;
      while (length < left && this.#takeIfFree(physical + length)) length += 1;
      this.#next = physical + length;
      left -= length;
      runs.push({ physical, length });
    }
    return runs;
  }

  /** Extents for `count` blocks of a file from block `logical` on. */
  takeExtents(logical: number, count: number): Extent[] {
    let at = logical;
    return this.take(count).flatMap(({ physical, length }) => {
      const extents: Extent[] = [];
      for (let done = 0; done < length; done += longestExtent) {
        const part = Math.min(longestExtent, length - done);
        extents.push({ logical: at, physical: physical + done, length: part });
        at += part;
      }
      return extents;
    });
  }

  /** Gives blocks back that mke2fs had taken for itself. */
  free(physical: number, count: number): void {
    for (let block = physical; block < physical + count; block += 1) {
      const { group, bit, bitmap } = this.#place(block);
      bitmap[bit >> 3] = (bitmap[bit >> 3] as number) & ~(1 << (bit & 7));
      group.freeBlocks += 1;
    }
    this.#next = Math.min(this.#next, physical);
  }

  /** Writes the bitmaps of all groups that were touched. */
  seal(): void {
    const { groups, seed, blocksPerGroup } = this.#geometry;
    for (const [number, bitmap] of this.#bitmaps) {
      const group = groups[number];
      if (group === undefined) continue;
      group.flags &= ~groupFlags.blocksUninitialised;
      group.blockBitmapChecksum = crc32c(seed, bitmap, 0, blocksPerGroup / 8);
      this.#file.write(group.blockBitmap, bitmap);
    }
  }

  #findFree(): number {
    const { blocks, blocksPerGroup, groups } = this.#geometry;
    for (let block = this.#next; block < blocks; ) {
      const number = Math.floor(block / blocksPerGroup);
      if (groups[number]?.freeBlocks === 0) {
        block = (number + 1) * blocksPerGroup;
        continue;
      }
      const { bit, bitmap } = this.#place(block);
      if ((bit & 7) === 0 && bitmap[bit >> 3] === 0xff) block += 8;
      else if (((bitmap[bit >> 3] as number) >> (bit & 7)) & 1) block += 1;
      else return block;
    }
    throw new RangeError('there is no block left');
  }

  #takeIfFree(block: number): boolean {
    if (block >= this.#geometry.blocks) return false;
    const { group, bit, bitmap } = this.#place(block);
    const byte = bitmap[bit >> 3] as number;
    const mask = 1 << (bit & 7);
    if ((byte & mask) !== 0) return false;
    bitmap[bit >> 3] = byte | mask;
    group.freeBlocks -= 1;
    return true;
  }

  #place(block: number) {
    const { blocksPerGroup, groups } = this.#geometry;
    const number = Math.floor(block / blocksPerGroup);
    const group = groups[number];
    if (group === undefined) throw new RangeError(`there is no block ${block}`);
    let bitmap = this.#bitmaps.get(number);
    if (bitmap === undefined) {
      bitmap =
        (group.flags & groupFlags.blocksUninitialised) !== 0
          ? this.#initial(number)
          : this.#file.read(group.blockBitmap, 1);
      this.#bitmaps.set(number, bitmap);
    }
    return { group, bit: block % blocksPerGroup, bitmap };
  }

  /** The bitmap of a group that mke2fs did not write: what every such group holds by itself. */
  #initial(number: number): Buffer {
    const { blocks, blocksPerGroup, inodesPerGroup, groups, descriptorBlocks, reservedDescriptorBlocks } =
      this.#geometry;
    const bitmap = Buffer.alloc(blockSize);
    const first = number * blocksPerGroup;
    const mark = (from: number, count: number) => {
      for (let block = Math.max(from, first); block < Math.min(from + count, first + blockSize * 8); block += 1) {
        const bit = block - first;
        bitmap[bit >> 3] = (bitmap[bit >> 3] as number) | (1 << (bit & 7));
      }
    };
    if (holdsBackup(number)) mark(first, 1 + descriptorBlocks + reservedDescriptorBlocks);
    const { blockBitmap, inodeBitmap, inodeTable } = groups[number] ?? {
      blockBitmap: -1,
      inodeBitmap: -1,
      inodeTable: -1,
    };
    mark(blockBitmap, 1);
    mark(inodeBitmap, 1);
    mark(inodeTable, (inodesPerGroup * 256) / blockSize);
    mark(blocks, Math.max(0, first + blockSize * 8 - blocks));
    return bitmap;
  }
}

/** Of `sparse_super`: backups of superblock and descriptors lie in groups 0, 1 and the powers of 3, 5 and 7. */
function holdsBackup(group: number): boolean {
  if (group < 2) return true;
  return [3, 5, 7].some((base) => {
    let power = base;
    while (power < group) power *= base;
    return power === group;
  });
}
