import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ByteRanges } from './byte-ranges.ts';

it('knows what is there and what is missing, as a set of bytes would', () => {
  const range = fc.tuple(fc.nat(60), fc.nat(12)).map(([from, length]) => ({ from, to: from + length }));
  fc.assert(
    fc.property(fc.array(range, { maxLength: 12 }), range, (added, asked) => {
      const ranges = new ByteRanges();
      const bytes = new Set<number>();
      for (const { from, to } of added) {
        ranges.add(from, to);
        for (let at = from; at < to; at += 1) bytes.add(at);
      }
      const wanted = Array.from({ length: asked.to - asked.from }, (_, index) => asked.from + index);
      const gaps = ranges.missing(asked.from, asked.to);
      const missing = gaps.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, index) => from + index));
      expect(missing).toEqual(wanted.filter((at) => !bytes.has(at)));
      if (wanted.length > 0) expect(ranges.covers(asked.from, asked.to)).toBe(missing.length === 0);
    }),
  );
});
