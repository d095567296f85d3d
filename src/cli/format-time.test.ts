import { expect, it } from 'vitest';
import { formatAgo, formatSpan } from './format-time.ts';

it.each([
  [0, '0.0 s'],
  [420, '0.4 s'],
  [9949, '9.9 s'],
  [9950, '10 s'],
  [59_499, '59 s'],
  [59_500, '1:00'],
  [187_000, '3:07'],
  [3_729_000, '1:02:09'],
])('%d ms is %s', (span, text) => expect(formatSpan(span)).toBe(text));

const minute = 60_000;
const day = 24 * 60 * minute;
it.each([
  [3000, 'just now'],
  [30_000, '30 seconds ago'],
  [minute, '1 minute ago'],
  [90 * minute, '2 hours ago'],
  [day, 'yesterday'],
  [5 * day, '5 days ago'],
  [21 * day, '3 weeks ago'],
  [100 * day, '3 months ago'],
])('%d ms before now is %s', (before, text) =>
  expect(formatAgo(1_800_000_000_000 - before, 1_800_000_000_000)).toBe(text),
);
