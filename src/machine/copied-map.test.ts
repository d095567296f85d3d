import { describe, expect, it } from 'vitest';
import { CopiedMap } from './copied-map.ts';

const run = (block: number, blocks: number) => ({ start: block * 8, length: blocks * 8 });
const all = (map: CopiedMap) => {
  const order: string[] = [];
  for (let next = map.next(); next !== undefined; next = map.next()) {
    order.push(`${next.start / 8}+${next.length / 8}`);
    map.mark(next);
  }
  return order.join(' ');
};

describe('what of a source was copied', () => {
  it('is copied from the front, so much at a time', () => {
    const map = new CopiedMap(10 * 8, 4 * 8);
    expect(all(map)).toBe('0+4 4+4 8+2');
    expect(map.copied).toBe(80);
    expect(map.runs()).toEqual([run(0, 10)]);
  });

  it('begins with what is wanted, the last wish first, and passes over what is there', () => {
    const map = new CopiedMap(20 * 8, 100 * 8);
    map.want([run(10, 2), run(5, 1)]);
    map.mark(run(17, 2));
    map.want([{ start: 16 * 8 + 3, length: 20 }]);
    expect(all(map)).toBe('16+1 10+2 5+1 0+5 6+4 12+4 19+1');
  });

  it('says the same again until it was done', () => {
    const map = new CopiedMap(8, 8);
    expect(map.next()).toEqual(run(0, 1));
    expect(map.next()).toEqual(run(0, 1));
  });

  it('is what it was after a start', () => {
    const map = new CopiedMap(100 * 8, 7 * 8);
    for (const block of [0, 1, 2, 50, 99]) map.mark(run(block, 1));
    map.mark(run(50, 1));
    const again = new CopiedMap(100 * 8, 7 * 8, map.bytes);
    expect(again.copied).toBe(5 * 8);
    expect(again.runs()).toEqual([run(0, 3), run(50, 1), run(99, 1)]);
    expect(again.next()).toEqual(run(3, 7));
    expect(new CopiedMap(3 * 8, 8, Buffer.from([0xff])).next()).toBeUndefined();
  });

  it('takes back what was marked since it was known to last', () => {
    const map = new CopiedMap(100 * 8, 7 * 8);
    map.mark(run(0, 10));
    map.keep();
    map.mark(run(10, 5));
    map.mark(run(90, 1));
    expect(map.forget()).toBe(6 * 8);
    expect(map.runs()).toEqual([run(0, 10)]);
    expect(map.next()).toEqual(run(10, 7));
    const again = new CopiedMap(100 * 8, 7 * 8, map.bytes);
    again.mark(run(20, 1));
    again.forget();
    expect(again.copied).toBe(10 * 8);
  });

  it('refuses what does not fit', () => {
    expect(() => new CopiedMap(100, 8)).toThrow(RangeError);
    expect(() => new CopiedMap(800, 8, Buffer.alloc(3))).toThrow(RangeError);
    const map = new CopiedMap(80, 8);
    expect(() => map.mark({ start: 4, length: 8 })).toThrow(RangeError);
    expect(() => map.mark(run(9, 2))).toThrow(RangeError);
  });

  it('says which parts of a run are not there', () => {
    const map = new CopiedMap(800, 80);
    map.mark({ start: 16, length: 8 });
    map.mark({ start: 40, length: 16 });
    expect(map.gaps({ start: 8, length: 64 })).toEqual([
      { start: 8, length: 8 },
      { start: 24, length: 16 },
      { start: 56, length: 16 },
    ]);
    expect(map.gaps({ start: 16, length: 8 })).toEqual([]);
  });
});
