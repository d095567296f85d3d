import { expect, it } from 'vitest';
import { parseDecimalSeconds, parseKernelSeconds, sameMoment } from './timestamp.ts';

it.each([
  ['0', 0, 0],
  ['1795228194.62984061', 1_795_228_194, 629_840_610],
  ['-0.5', -1, 500_000_000],
  ['-315619199.876543211', -315_619_200, 123_456_789],
  ['-3', -3, 0],
  ['4113158400.0000000019', 4_113_158_400, 1],
])('reads %s as tar means it', (text, seconds, nanoseconds) => {
  expect(parseDecimalSeconds(text)).toEqual({ seconds, nanoseconds });
});

it.each([
  ['-1.5000000000', -1, 500_000_000],
  ['-315619200.1234567890', -315_619_200, 123_456_789],
  ['1795228194.6298406100', 1_795_228_194, 629_840_610],
])('reads %s as find means it', (text, seconds, nanoseconds) => {
  expect(parseKernelSeconds(text)).toEqual({ seconds, nanoseconds });
});

it.each(['', 'x', '1.2.3', '1e5', '--1', '.5'])('refuses “%s”', (text) => {
  expect(parseDecimalSeconds(text)).toBeUndefined();
  expect(parseKernelSeconds(text)).toBeUndefined();
});

it('compares moments', () => {
  expect(sameMoment({ seconds: 1, nanoseconds: 2 }, { seconds: 1, nanoseconds: 2 })).toBe(true);
  expect(sameMoment({ seconds: 1, nanoseconds: 2 }, { seconds: 1, nanoseconds: 3 })).toBe(false);
});
