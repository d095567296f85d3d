import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FatEntry, readFat } from './fat-reader.ts';
import { buildFat32, type FatNode } from './fat32.ts';
import { FormatError } from './format-error.ts';

const size = 34 * 2 ** 20;
const modified = { seconds: 1_700_000_000, nanoseconds: 0 };

function volume(root: readonly FatNode[]): Buffer {
  const bytes = Buffer.alloc(size);
  for (const { offset, bytes: piece } of buildFat32({ size, volumeId: '1234abcd', label: 'TEST', root })) {
    bytes.set(piece, offset);
  }
  return bytes;
}

function read(bytes: Buffer): FatEntry[] {
  return readFat((offset, length) => bytes.subarray(offset, offset + length));
}

function contentOf(bytes: Buffer, { runs, size: length }: FatEntry): Buffer {
  return Buffer.concat(runs.map((run) => bytes.subarray(run.offset, run.offset + run.length))).subarray(0, length);
}

/** Paths with their contents, directories with `undefined`. */
function flatten(nodes: readonly FatNode[], above = ''): [string, string | undefined][] {
  return nodes.flatMap(({ name, content, children }): [string, string | undefined][] => {
    const path = `${above}${name}`;
    if (children !== undefined) return [[path, undefined], ...flatten(children, `${path}/`)];
    return [[path, Buffer.from(content ?? []).toString('hex')]];
  });
}

const name = fc.stringMatching(/^[A-Za-z0-9_ äöé.~-]{0,40}[A-Za-z0-9ä]$/);
const { nodes } = fc.letrec<{ nodes: FatNode[] }>((tie) => ({
  nodes: fc.uniqueArray(
    fc.oneof(
      fc.record({ name, modified: fc.constant(modified), content: fc.uint8Array({ maxLength: 3000 }) }),
      fc.record({ name, modified: fc.constant(modified), children: tie('nodes') as fc.Arbitrary<FatNode[]> }),
    ) as fc.Arbitrary<FatNode>,
    { maxLength: 12, selector: (node) => node.name.toUpperCase() },
  ),
}));

describe('FAT', () => {
  it('gives back every tree that it was given', () => {
    fc.assert(
      fc.property(nodes, (root) => {
        const bytes = volume(root);
        const found = read(bytes).map((entry) => [
          Buffer.from(entry.path, 'latin1').toString('utf8'),
          entry.directory ? undefined : contentOf(bytes, entry).toString('hex'),
        ]);
        expect(found).toEqual(flatten(root));
      }),
      { numRuns: 25 },
    );
  });

  it('keeps times to two seconds', () => {
    const [entry] = read(
      volume([{ name: 'x', modified: { seconds: 1_700_000_001, nanoseconds: 5 }, content: Buffer.from('x') }]),
    );
    expect(entry?.modified).toEqual({ seconds: 1_700_000_000, nanoseconds: 0 });
  });

  it('refuses what FAT cannot hold', () => {
    const file = (each: string) => ({ name: each, modified, content: Buffer.alloc(1) });
    expect(() => volume([file('a:b')])).toThrow(FormatError);
    expect(() => volume([file('same'), file('SAME')])).toThrow('are the same');
    expect(() => volume([{ name: 'large', modified, content: Buffer.alloc(size) }])).toThrow('full');
  });

  it('never does anything but read or refuse, whatever bytes are wrong', () => {
    const good = volume([
      { name: 'EFI', modified, children: [{ name: 'a file.txt', modified, content: Buffer.alloc(2000, 'x') }] },
      { name: 'other', modified, content: Buffer.alloc(700, 'y') },
    ]);
    const place = fc.oneof(
      fc.integer({ min: 0, max: 511 }),
      fc.integer({ min: 16_384, max: 16_600 }),
      fc.integer({ min: 540_000, max: 560_000 }),
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(place, fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 8 }),
        (changes) => {
          const before = changes.map(([at]) => good[at] ?? 0);
          for (const [at, byte] of changes) good[at] = byte;
          try {
            for (const entry of read(good)) contentOf(good, entry);
          } catch (error) {
            expect(error).toBeInstanceOf(FormatError);
          } finally {
            changes.forEach(([at], index) => {
              good[at] = before[changes.findIndex(([other]) => other === at)] ?? before[index] ?? 0;
            });
          }
        },
      ),
      { numRuns: 400 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4096 }), (bytes) => {
        expect(() => readFat((offset, length) => Buffer.from(bytes.subarray(offset, offset + length)))).toThrow(
          FormatError,
        );
      }),
    );
  });
});
