import { expect, test } from 'vitest';
import { parseRange } from './send-file.ts';
import { publicStoreFile } from './store-routes.ts';

test.each([
  [undefined, 'whole'],
  ['bytes=0-0', { start: 0, end: 0 }],
  ['bytes=10-', { start: 10, end: 99 }],
  ['bytes=10-500', { start: 10, end: 99 }],
  ['bytes=-10', { start: 90, end: 99 }],
  ['bytes=-500', { start: 0, end: 99 }],
  ['bytes=100-', 'unsatisfiable'],
  ['bytes=-0', 'unsatisfiable'],
  ['bytes=9-3', 'whole'],
  ['bytes=-', 'whole'],
  ['bytes=0-1,5-6', 'whole'],
  ['items=0-1', 'whole'],
  ['bytes=1e3-', 'whole'],
])('Range: %s', (header, expected) => {
  expect(parseRange(header, 100)).toEqual(expected);
});

test('an empty file has no range', () => {
  expect(parseRange('bytes=0-', 0)).toBe('unsatisfiable');
});

const hash = 'ab'.repeat(32);
test.each([
  ['imprint-store.json', true],
  ['index.json', true],
  [`packs/ab/${hash}.pack`, true],
  [`packs/cd/${hash}.pack`, false],
  [`packs/ab/${hash}.damaged`, false],
  [`manifests/${hash}.manifest`, true],
  [`manifests/${hash}.packs`, true],
  ['images/web/1.json', true],
  ['images/web/1.json.minisig', true],
  ['images/web/01.json', false],
  ['trust/1.json', true],
  ['trust/1.json.minisig', true],
  ['trust/next.json', false],
  ['trust/../lock', false],
  ['images/web/tags/stable', true],
  ['images/../lock', false],
  ['images/web/tags/../1.json', false],
  ['images/web/tags/a/b', false],
  [`hints/${hash}.hints`, false],
  ['lock', false],
  ['tmp/x', false],
  ['/etc/passwd', false],
])('/store/%s is public: %s', (path, expected) => {
  expect(publicStoreFile(path) !== undefined).toBe(expected);
});
