import { expect, it } from 'vitest';
import { formatBytes, parseBytes } from './bytes.ts';

it.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1 KiB'],
  [1536, '1.5 KiB'],
  [1_048_575, '1 MiB'],
  [123 * 1024 * 1024, '123 MiB'],
  [4.25 * 1024 ** 3, '4.25 GiB'],
  [-2048, '-2 KiB'],
])('formats %d as %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

it.each([
  ['512', 512],
  ['20G', 20 * 1024 ** 3],
  ['1.5GiB', 1.5 * 1024 ** 3],
  ['100 MB', 100_000_000],
  ['4k', 4096],
  ['7 b', 7],
])('parses %s', (text, bytes) => {
  expect(parseBytes(text)).toBe(bytes);
});

it.each(['', 'G', '1X', '-1', '1 2', '1e9'])('parses %j as nothing', (text) => {
  expect(parseBytes(text)).toBeUndefined();
});
