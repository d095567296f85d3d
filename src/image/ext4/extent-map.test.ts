import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FormatError } from '../format-error.ts';
import { markWritten, readExtentTree } from './extent-map.ts';

/** A node: its depth, and entries of three numbers. */
function node(
  length: number,
  depth: number,
  entries: readonly (readonly [logical: number, length: number, place: number])[],
): Buffer {
  const bytes = Buffer.alloc(length);
  bytes.writeUInt16LE(0xf30a, 0);
  bytes.writeUInt16LE(entries.length, 2);
  bytes.writeUInt16LE(depth, 6);
  entries.forEach(([logical, count, place], index) => {
    const at = 12 + index * 12;
    bytes.writeUInt32LE(logical, at);
    if (depth > 0) {
      bytes.writeUInt32LE(place % 2 ** 32, at + 4);
      bytes.writeUInt16LE(Math.floor(place / 2 ** 32), at + 8);
    } else {
      bytes.writeUInt16LE(count, at + 4);
      bytes.writeUInt16LE(Math.floor(place / 2 ** 32), at + 6);
      bytes.writeUInt32LE(place % 2 ** 32, at + 8);
    }
  });
  return bytes;
}

it('reads a tree of one level and of two', () => {
  const flat = node(60, 0, [
    [0, 100, 5000],
    [100, 32_768 + 50, 2 ** 33],
  ]);
  expect(readExtentTree(flat, () => Buffer.alloc(0))).toEqual([
    {
      block: undefined,
      extents: [
        { logical: 0, length: 100, physical: 5000, unwritten: false },
        { logical: 100, length: 50, physical: 2 ** 33, unwritten: true },
      ],
    },
  ]);
  const blocks: Record<number, Buffer> = {
    77: node(4096, 0, [[0, 32_768, 9000]]),
    78: node(4096, 0, [[32_768, 1, 100_000]]),
  };
  const deep = node(60, 1, [
    [0, 0, 77],
    [32_768, 0, 78],
  ]);
  const leaves = readExtentTree(deep, (block) => blocks[block] ?? Buffer.alloc(4096));
  expect(leaves.map(({ block, extents }) => [block, extents[0]?.length, extents[0]?.unwritten])).toEqual([
    [77, 32_768, false],
    [78, 1, false],
  ]);
});

it('marks extents as written, and nothing else', () => {
  const leaf = node(4096, 0, [
    [0, 32_768 + 7, 1],
    [7, 9, 8],
  ]);
  const before = Buffer.from(leaf);
  markWritten(leaf);
  expect(readExtentTree(leaf, () => leaf)[0]?.extents.map(({ length, unwritten }) => [length, unwritten])).toEqual([
    [7, false],
    [9, false],
  ]);
  before.writeUInt16LE(7, 16);
  expect(leaf.equals(before)).toBe(true);
});

it('says no to what is no tree, and comes to an end', () => {
  expect(() => readExtentTree(Buffer.alloc(60), () => Buffer.alloc(0))).toThrow(FormatError);
  // One that points at itself.
  const loop = node(60, 1, [[0, 0, 1]]);
  expect(() => readExtentTree(loop, () => node(4096, 1, [[0, 0, 1]]))).toThrow(FormatError);
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0, maxLength: 80 }), (bytes) => {
      try {
        readExtentTree(bytes, () => Buffer.alloc(4096));
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
      }
    }),
  );
});
