import { expect, test } from 'vitest';
import { parseUntil } from './until.ts';

const now = Date.parse('2026-01-01T12:00:00.500Z');

test.each([
  ['12h', '2026-01-02T00:00:00Z'],
  ['90d', '2026-04-01T12:00:00Z'],
  ['2w', '2026-01-15T12:00:00Z'],
  ['1y', '2027-01-01T18:00:00Z'],
  ['2027-01-31', '2027-01-31T23:59:59Z'],
  ['2027-01-31T12:00:00Z', '2027-01-31T12:00:00Z'],
  ['2027-01-31T12:00Z', '2027-01-31T12:00:00Z'],
  [' 90d ', '2026-04-01T12:00:00Z'],
  ['0d', undefined],
  ['2025-12-31', undefined],
  ['2027-13-01', undefined],
  ['999999y', undefined],
  ['90', undefined],
  ['soon', undefined],
  ['', undefined],
])('%s', (text, expected) => {
  expect(parseUntil(text, now)).toBe(expected);
});
