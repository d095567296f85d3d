import { expect, test } from 'vitest';
import type { RawPath } from '../foundation/brand.ts';
import { Paths } from './columns.ts';

test('paths come back byte for byte, also where a part of the memory ends', () => {
  const paths = new Paths();
  const given = [
    '',
    'a',
    'x'.repeat((1 << 20) - 1),
    '',
    '\xff\x80/b',
    'y'.repeat(1 << 20),
    '',
    'usr/share/\xe4\n',
  ] as RawPath[];
  for (const path of given) paths.push(path);
  expect(paths.length).toBe(given.length);
  expect(given.every((path, row) => paths.at(row) === path)).toBe(true);
});
