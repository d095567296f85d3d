import { FormatError } from '../format-error.ts';

/**
 * Where a file of an ext4 lies, read from its inode (kernel documentation, `filesystems/ext4/ifork.rst`): for file systems that were made by somebody else, or
 * that somebody else has written to since.
 */

export interface MappedExtent {
  /** Blocks. */
  logical: number;
  physical: number;
  length: number;
  /** Allocated, but read as zeros. */
  unwritten: boolean;
}

/** An extent tree's node, with its leaves' places in the block that holds them. */
export interface ExtentNode {
  /** Block that holds it; undefined: the inode itself. */
  block: number | undefined;
  extents: MappedExtent[];
}

const magic = 0xf30a;
const headerLength = 12;
const longestWritten = 32_768;
const deepest = 5;

/** Bytes of the map within an inode. */
export const inodeMap = { offset: 40, length: 60 } as const;

/**
 * The leaves of an extent tree, in order. `map` is the map of the inode, `read` gives a block. Throws a `FormatError` for what is no extent tree.
 */
export function readExtentTree(map: Uint8Array, read: (block: number) => Uint8Array): ExtentNode[] {
  const leaves: ExtentNode[] = [];
  const visit = (bytes: Uint8Array, block: number | undefined, level: number) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (bytes.length < headerLength || view.getUint16(0, true) !== magic || level > deepest)
      throw new FormatError('it is not mapped by extents');
    const entries = view.getUint16(2, true);
    const depth = view.getUint16(6, true);
    if (headerLength + entries * 12 > bytes.length) throw new FormatError('its map is damaged');
    const extents: MappedExtent[] = [];
    for (let index = 0; index < entries; index += 1) {
      const at = headerLength + index * 12;
      if (depth > 0) {
        const child = view.getUint32(at + 4, true) + view.getUint16(at + 8, true) * 2 ** 32;
        visit(read(child), child, level + 1);
        continue;
      }
      const length = view.getUint16(at + 4, true);
      const unwritten = length > longestWritten;
      extents.push({
        logical: view.getUint32(at, true),
        physical: view.getUint16(at + 6, true) * 2 ** 32 + view.getUint32(at + 8, true),
        length: unwritten ? length - longestWritten : length,
        unwritten,
      });
    }
    if (depth === 0) leaves.push({ block, extents });
  };
  visit(map, undefined, 0);
  return leaves;
}

/** Makes every extent of a leaf a written one, in place. A file system with checksums of its metadata would not take it. */
export function markWritten(leaf: Uint8Array): void {
  const view = new DataView(leaf.buffer, leaf.byteOffset, leaf.length);
  const entries = view.getUint16(2, true);
  for (let at = headerLength; at < headerLength + entries * 12; at += 12) {
    const length = view.getUint16(at + 4, true);
    if (length > longestWritten) view.setUint16(at + 4, length - longestWritten, true);
  }
}
