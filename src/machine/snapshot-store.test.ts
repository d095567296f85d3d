import { describe, expect, it } from 'vitest';
import { joined, readSnapshotStore, splitByStore } from './snapshot-store.ts';

const chunk = 4096;

/** A store as the kernel writes it: the pairs in lists of 256, each before the chunks that it names. */
function storeOf(pairs: readonly (readonly [number, number])[], valid = 1): Buffer {
  const lists = Math.floor(pairs.length / 256) + 1;
  const bytes = Buffer.alloc((1 + lists * 257) * chunk);
  for (const [index, value] of [0x70_41_6e_53, valid, 1, chunk / 512].entries()) bytes.writeUInt32LE(value, index * 4);
  for (const [index, [from, kept]] of pairs.entries()) {
    const at = (1 + Math.floor(index / 256) * 257) * chunk + (index % 256) * 16;
    bytes.writeBigUInt64LE(BigInt(from), at);
    bytes.writeBigUInt64LE(BigInt(kept), at + 8);
  }
  return bytes;
}

const read = (bytes: Buffer) => async (position: number, length: number) => bytes.subarray(position, position + length);

describe('the lists of a snapshot’s store', () => {
  it('give runs of what was changed, wherever it was put', async () => {
    const bytes = storeOf([
      [10, 2],
      [11, 3],
      [5, 4],
      [12, 5],
      [13, 6],
    ]);
    expect(await readSnapshotStore(read(bytes))).toEqual({
      chunk: 8,
      runs: [
        { start: 40, length: 8, at: 32 },
        { start: 80, length: 16, at: 16 },
        { start: 96, length: 16, at: 40 },
      ],
    });
  });

  it('go on in the next list where one is full, and end where it ends exactly', async () => {
    const many = (count: number) =>
      Array.from({ length: count }, (_, index) => [index * 2, 2 + index + Math.floor(index / 256)] as const);
    for (const count of [0, 255, 256, 257, 600]) {
      const found = await readSnapshotStore(read(storeOf(many(count))));
      expect(found?.runs).toHaveLength(count);
      if (count > 256) expect(found?.runs[256]).toEqual({ start: 512 * 8, length: 8, at: (2 + 256 + 1) * 8 });
    }
  });

  it('are none where the kernel gave the store up, or never had it', async () => {
    expect(await readSnapshotStore(read(storeOf([[1, 2]], 0)))).toBeUndefined();
    expect(await readSnapshotStore(read(Buffer.alloc(chunk)))).toBeUndefined();
    expect(await readSnapshotStore(read(Buffer.alloc(0)))).toBeUndefined();
  });

  it('give long runs to who copies them', () => {
    const runs = [
      { start: 8, length: 8, at: 80 },
      { start: 16, length: 16, at: 16 },
      { start: 40, length: 8, at: 32 },
    ];
    expect(joined(runs)).toEqual([
      { start: 8, length: 24 },
      { start: 40, length: 8 },
    ]);
  });

  it('say which part of a range lies where', () => {
    const runs = [
      { start: 16, length: 16, at: 800 },
      { start: 48, length: 8, at: 80 },
    ];
    expect(splitByStore(runs, { start: 0, length: 64 })).toEqual([
      { start: 0, length: 16, at: undefined },
      { start: 16, length: 16, at: 800 },
      { start: 32, length: 16, at: undefined },
      { start: 48, length: 8, at: 80 },
      { start: 56, length: 8, at: undefined },
    ]);
    expect(splitByStore(runs, { start: 24, length: 4 })).toEqual([{ start: 24, length: 4, at: 808 }]);
    expect(splitByStore(runs, { start: 60, length: 4 })).toEqual([{ start: 60, length: 4, at: undefined }]);
    expect(splitByStore([], { start: 8, length: 8 })).toEqual([{ start: 8, length: 8, at: undefined }]);
  });
});
