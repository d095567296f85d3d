import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ReadBytes } from './fat-reader.ts';
import { type FatSpace, readFatSpace } from './fat-space.ts';
import { buildFat32, type FatNode } from './fat32.ts';
import { FormatError } from './format-error.ts';

const size = 34 * 2 ** 20;
const modified = { seconds: 1_700_000_000, nanoseconds: 0 };
const root: FatNode[] = [
  {
    ...{ name: 'EFI', modified },
    children: [
      { name: 'BOOT', modified, children: [{ name: 'BOOTX64.EFI', modified, content: Buffer.alloc(5000, 'x') }] },
      { name: 'a directory with a long name', modified, children: [] },
    ],
  },
  { name: 'empty', modified, content: new Uint8Array(0) },
];

function volume(): Buffer {
  const bytes = Buffer.alloc(size);
  for (const piece of buildFat32({ size, volumeId: 'cafe1234', label: 'EFI-BOOT', root }))
    bytes.set(piece.bytes, piece.offset);
  return bytes;
}

const reader =
  (bytes: Buffer): ReadBytes =>
  (offset, length) =>
    bytes.subarray(offset, offset + length);

describe('the space of a FAT', () => {
  it('is all that is used: its own and its files make the volume again, byte for byte', () => {
    const before = volume();
    const space = readFatSpace(reader(before));
    expect(space).toMatchObject({ volumeId: 'CAFE1234', label: 'EFI-BOOT' });
    expect(space.entries.map(({ path }) => path)).toContain('EFI/BOOT/BOOTX64.EFI');
    const again = Buffer.alloc(size);
    for (const { offset, length } of [...space.own, ...space.entries.flatMap(({ runs }) => runs)]) {
      before.copy(again, offset, offset, offset + length);
    }
    expect(again.equals(before)).toBe(true);
  });

  it('is read or refused, whatever the volume holds', () => {
    const before = volume();
    // Boot sector, first table, directories: what decides.
    const places = fc.integer({ min: 0, max: 600 * 1024 });
    const changes = fc.array(fc.tuple(places, fc.integer({ min: 0, max: 255 })), { maxLength: 12 });
    const inBoot = fc.array(fc.tuple(fc.integer({ min: 0, max: 89 }), fc.integer({ min: 0, max: 255 })), {
      maxLength: 2,
    });
    fc.assert(
      fc.property(changes, inBoot, (anywhere, boot) => {
        const edits = [...anywhere, ...boot].map(([at, value]) => [at, value, before[at] ?? 0] as const);
        for (const [at, value] of edits) before[at] = value;
        try {
          const space = spaceOf(before);
          for (const { offset, length } of space?.own ?? []) expect(offset >= 0 && length > 0).toBe(true);
        } finally {
          for (const [at, , was] of [...edits].reverse()) before[at] = was;
        }
      }),
      { numRuns: 60 },
    );
  });
});

function spaceOf(bytes: Buffer): FatSpace | undefined {
  try {
    return readFatSpace(reader(bytes));
  } catch (thrown) {
    if (thrown instanceof FormatError) return undefined;
    throw thrown;
  }
}
