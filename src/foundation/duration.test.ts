import { expect, test } from 'vitest';
import { parseDuration } from './duration.ts';

test.each([
  ['90s', 90_000],
  ['1.5h', 5_400_000],
  ['7d', 604_800_000],
  ['2W', 1_209_600_000],
  ['0', 0],
  ['', undefined],
  ['5', undefined],
  ['-1h', undefined],
  ['1y', undefined],
])('%j is %j', (text, milliseconds) => {
  expect(parseDuration(text)).toBe(milliseconds);
});
