import type { EntryType } from '../entry.ts';
import { crc32c } from './crc32c.ts';
import { blockSize } from './geometry.ts';

export interface DirectoryRow {
  /** Raw bytes as latin1, at most 255. */
  name: string;
  inode: number;
  type: Exclude<EntryType, 'hardlink'>;
}

/** What a directory entry says of its inode (`ext4/directory.rst`). */
const typeNumbers: Readonly<Record<DirectoryRow['type'], number>> = {
  file: 1,
  directory: 2,
  character: 3,
  block: 4,
  fifo: 5,
  socket: 6,
  symlink: 7,
};
const tailLength = 12;
const usable = blockSize - tailLength;

/** How many blocks names of these lengths fill, `.` and `..` among them. */
export class DirectoryMeasure {
  blocks = 1;
  #used = rowLength(1) + rowLength(2);

  add(nameLength: number): void {
    const length = rowLength(nameLength);
    if (this.#used + length > usable) {
      this.blocks += 1;
      this.#used = 0;
    }
    this.#used += length;
  }
}

/** The blocks of a directory whose rows begin with `.` and `..`; `seed` as for extents. */
export function buildDirectory(rows: readonly DirectoryRow[], blocks: number, seed: number): Buffer {
  const bytes = Buffer.alloc(blocks * blockSize);
  let block = 0;
  let at = 0;
  let last = 0;
  const closeBlock = () => {
    const start = block * blockSize;
    // The last row of a block reaches to the tail; an empty block is one row without an inode.
    bytes.writeUInt16LE(usable - last, start + last + 4);
    bytes.writeUInt16LE(tailLength, start + usable + 4);
    bytes[start + usable + 7] = 0xde;
    bytes.writeUInt32LE(crc32c(seed, bytes, start, start + usable), start + usable + 8);
  };
  for (const { name, inode, type } of rows) {
    const length = rowLength(name.length);
    if (at + length > usable) {
      closeBlock();
      block += 1;
      at = 0;
    }
    const place = block * blockSize + at;
    bytes.writeUInt32LE(inode, place);
    bytes.writeUInt16LE(length, place + 4);
    bytes[place + 6] = name.length;
    bytes[place + 7] = typeNumbers[type];
    bytes.write(name, place + 8, 'latin1');
    last = at;
    at += length;
  }
  closeBlock();
  for (block += 1; block < blocks; block += 1) {
    last = 0;
    closeBlock();
  }
  return bytes;
}

function rowLength(nameLength: number): number {
  return (8 + nameLength + 3) & ~3;
}
