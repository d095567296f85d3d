import fc from 'fast-check';
import { expect, it } from 'vitest';
import { comparePaths } from './entry.ts';
import { SortedPaths } from './sorted-paths.ts';

it('knows the paths that it was given, and no others', () => {
  const path = fc.string({ unit: fc.constantFrom('a', 'b', '/', '\xff', '-'), maxLength: 12 });
  fc.assert(
    fc.property(fc.uniqueArray(path, { maxLength: 300 }), fc.array(path, { maxLength: 50 }), (paths, others) => {
      const sorted = new SortedPaths();
      for (const each of paths.toSorted(comparePaths)) sorted.push(each);
      for (const each of paths) expect(sorted.has(each)).toBe(true);
      for (const each of others) expect(sorted.has(each)).toBe(paths.includes(each));
    }),
  );
});

it('takes long paths', () => {
  const sorted = new SortedPaths();
  const long = 'x'.repeat(65_535);
  expect(sorted.has(long)).toBe(false);
  sorted.push('a');
  sorted.push(long);
  expect(sorted.has(long)).toBe(true);
  expect(sorted.has('x')).toBe(false);
});
