import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { RawPath } from '../../foundation/brand.ts';
import { comparePaths } from '../../image/entry.ts';
import type { ListedPath } from '../../machine/golden-listing.ts';
import { ListingTable, rowStates } from './listing-table.ts';

const moment = fc.record({
  seconds: fc.integer({ min: -1e10, max: 1e10 }),
  nanoseconds: fc.integer({ min: 0, max: 999_999_999 }),
});
const path = fc
  .array(fc.string({ unit: fc.constantFrom('a', 'b', '-', '.', '\xff', '\n'), minLength: 1, maxLength: 3 }), {
    maxLength: 4,
  })
  .map((parts) => parts.join('/') as RawPath);
const listed: fc.Arbitrary<ListedPath> = fc.record({
  path,
  type: fc.constantFrom('f', 'd', 'l', 's'),
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: fc.integer({ min: 0, max: 0xffffffff }),
  gid: fc.integer({ min: 0, max: 0xffffffff }),
  size: fc.maxSafeNat(),
  mtime: moment,
  ctime: moment,
  inode: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
  device: fc.constantFrom('65024', '48'),
  links: fc.integer({ min: 0, max: 0xffffffff }),
});

it('gives back what was put in, in manifest order, and finds it by its path', () => {
  fc.assert(
    fc.property(fc.uniqueArray(listed, { selector: (each) => each.path, maxLength: 60 }), (all) => {
      const table = new ListingTable();
      for (const each of all) table.add(each);
      table.seal();
      const sorted = all.toSorted((left, right) => comparePaths(left.path, right.path));
      expect(Array.from(table.order, (row) => table.listed(row))).toEqual(sorted);
      for (const each of all) {
        const row = table.find(each.path);
        expect(table.isSame(row, each)).toBe(true);
        expect(table.isSame(row, { ...each, size: each.size + 1 })).toBe(false);
        expect(table.isSame(row, { ...each, device: 'other' })).toBe(false);
      }
      expect(table.find('not/there' as RawPath)).toBe(-1);
    }),
  );
});

it('holds tens of thousands over many pages', () => {
  const table = new ListingTable();
  const moment = { seconds: 1, nanoseconds: 2 };
  for (let index = 0; index < 50_000; index += 1) {
    const name = `directory-${index % 100}/${'x'.repeat(40)}-${index}` as RawPath;
    const numbers = { mode: 0o644, uid: 0, gid: 0, size: index, inode: String(index), links: 1 };
    table.add({ path: name, type: 'f', device: '1', mtime: moment, ctime: moment, ...numbers });
  }
  table.seal();
  expect(table.length).toBe(50_000);
  for (let index = 0; index < 50_000; index += 997) {
    const row = table.find(`directory-${index % 100}/${'x'.repeat(40)}-${index}` as RawPath);
    expect(table.listed(row).size).toBe(index);
    table.setState(row, rowStates.fetched);
    expect(table.state(row)).toBe(rowStates.fetched);
  }
});
