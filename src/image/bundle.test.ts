import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestFromHex } from '../foundation/brand.ts';
import {
  type BundleTable,
  bundleFooterLength,
  bundleFrameLimit,
  bundlePrefixLimit,
  decodeBundleFooter,
  decodeBundleTable,
  encodeBundleFooter,
  encodeBundleTable,
} from './bundle.ts';
import { planFrames, planManifestFrames } from './bundle-frames.ts';
import type { BundleUnit } from './bundle-plan.ts';
import { FormatError } from './format-error.ts';

const length = fc.integer({ min: 1, max: bundleFrameLimit });
const tables: fc.Arbitrary<BundleTable> = fc.record({
  manifest: fc.array(
    fc.record({
      stored: length,
      content: length,
      prefix: fc.record({ offset: fc.maxSafeNat(), length: fc.nat(bundlePrefixLimit) }),
    }),
    { maxLength: 4 },
  ),
  frames: fc.array(
    fc.record({
      stored: length,
      content: length,
      chunks: fc.integer({ min: 1, max: 100_000 }),
      prefix: fc.array(
        fc.record({ entry: fc.nat(), offset: fc.maxSafeNat(), length: fc.integer({ min: 1, max: 1 << 20 }) }),
        { maxLength: 20 },
      ),
    }),
    { maxLength: 8 },
  ),
});

describe('a bundle’s table', () => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(tables, (table) => {
        expect(decodeBundleTable(encodeBundleTable(table))).toEqual(table);
      }),
    );
  });

  it('is refused with a FormatError and nothing else, however it is damaged', () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(tables, damage, fc.nat(), (table, flips, cut) => {
        const bytes = encodeBundleTable(table);
        for (const [at, value] of flips) bytes[at % bytes.length] = value;
        expectFormatError(() => decodeBundleTable(bytes.subarray(0, bytes.length - (cut % 3))));
      }),
    );
    fc.assert(fc.property(fc.uint8Array(), (bytes) => expectFormatError(() => decodeBundleTable(Buffer.from(bytes)))));
  });

  it('claims no more than a reader must hold', () => {
    const range = { entry: 1, offset: 0, length: bundlePrefixLimit };
    const frame = { stored: 1, content: 1, chunks: 1, prefix: [range] };
    const refused = [
      { ...frame, content: bundleFrameLimit + 1 },
      { ...frame, prefix: [range, { ...range, length: 1 }] },
      { ...frame, chunks: 0 },
      { ...frame, stored: 0 },
      { ...frame, prefix: [{ ...range, length: 0 }] },
    ];
    expect(() => decodeBundleTable(encodeBundleTable({ manifest: [], frames: [frame] }))).not.toThrow();
    for (const each of refused)
      expect(() => decodeBundleTable(encodeBundleTable({ manifest: [], frames: [each] }))).toThrow(FormatError);
  });
});

describe('a bundle’s footer', () => {
  const footer = {
    tableOffset: 1000,
    tableLength: 200,
    contentLength: 500,
    from: digestFromHex('ab'.repeat(32)),
    to: digestFromHex('cd'.repeat(32)),
    hash: randomBytes(32),
  };
  const whole = 1000 + 200 + bundleFooterLength;

  it('comes back as it was, and is refused for a file of another length', () => {
    expect(decodeBundleFooter(encodeBundleFooter(footer), whole)).toEqual(footer);
    expect(() => decodeBundleFooter(encodeBundleFooter(footer), whole + 1)).toThrow(FormatError);
    expect(() => decodeBundleFooter(Buffer.alloc(bundleFooterLength), whole)).toThrow(FormatError);
    expect(() => decodeBundleFooter(Buffer.alloc(10), 10)).toThrow(FormatError);
  });
});

describe('frames', () => {
  it('bring all units in order, within the limits', () => {
    const units = fc.array(
      fc.record({
        length: fc.integer({ min: 1, max: 4 << 20 }),
        count: fc.integer({ min: 1, max: 50 }),
        base: fc.option(fc.record({ entry: fc.nat(5), length: fc.integer({ min: 1, max: 128 << 20 }) }), {
          nil: undefined,
        }),
      }),
    );
    fc.assert(
      fc.property(units, (given) => {
        let first = 0;
        const planned = given.map(({ length: bytes, count, base }): BundleUnit => {
          const unit = { first, count, length: bytes };
          first += count;
          return base === undefined ? unit : { ...unit, base: { ...base, offset: 0 } };
        });
        const groups = planFrames({ missing: [], units: planned });
        const frames = groups.flatMap((group) => group.frames);
        expect(frames.reduce((sum, { chunks }) => sum + chunks, 0)).toBe(first);
        let next = 0;
        for (const frame of frames) {
          expect(frame.first).toBe(next);
          expect(frame.content).toBeLessThanOrEqual(bundleFrameLimit);
          next += frame.chunks;
        }
        for (const { prefix } of groups)
          expect(prefix.reduce((sum, range) => sum + range.length, 0)).toBeLessThanOrEqual(bundlePrefixLimit);
      }),
    );
  });

  it('hold no more ranges than a reader takes, however small the files are', () => {
    const units = Array.from({ length: 200_000 }, (_, index) => ({
      ...{ first: index, count: 1, length: 50 },
      base: { entry: index, offset: 0, length: 50 },
    }));
    const groups = planFrames({ missing: [], units });
    expect(groups.map(({ prefix }) => prefix.length)).toEqual([131_072, 200_000 - 131_072]);
  });

  it('cover the new manifest, however long the old one is', () => {
    for (const [before, after] of [
      [0, 1],
      [5_000_000, 70_000_000],
      [300_000_000, 310_000_001],
    ] as const) {
      let at = 0;
      for (const { offset, length: bytes, prefix } of planManifestFrames(before, after)) {
        expect(offset).toBe(at);
        expect(prefix.offset + prefix.length).toBeLessThanOrEqual(before);
        expect(prefix.length).toBeLessThanOrEqual(bundlePrefixLimit);
        at += bytes;
      }
      expect(at).toBe(after);
    }
  });
});

function expectFormatError(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
  }
}
