import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type RawPath, rawPath } from '../foundation/brand.ts';
import { globOfPath, parseExcludes, plainDirectories } from './exclude.ts';

const yes = true;
const no = false;

it.each<[glob: string, path: string, isDirectory: boolean, excluded: boolean]>([
  ['/tmp/*', 'tmp', true, no],
  ['/tmp/*', 'tmp/x', false, yes],
  ['/tmp/*', 'tmp/x/y', false, no],
  ['/tmp/*', 'var/tmp/x', false, no],
  ['/tmp/**', 'tmp', true, no],
  ['/tmp/**', 'tmp/x/y', false, yes],
  ['/opt', 'opt', true, yes],
  ['/opt/', 'opt', true, yes],
  ['/opt/', 'opt', false, no],
  ['*.iso', 'a.iso', false, yes],
  ['*.iso', 'srv/deep/a.iso', false, yes],
  ['*.iso', 'a.iso.txt', false, no],
  ['/*.iso', 'srv/a.iso', false, no],
  ['cache/*', 'home/u/cache/x', false, yes],
  ['/home/*/.cache', 'home/u/.cache', true, yes],
  ['/home/*/.cache', 'home/u/v/.cache', true, no],
  ['/a/**/b', 'a/b', false, yes],
  ['/a/**/b', 'a/x/y/b', false, yes],
  ['/a/**/b', 'a/xb', false, no],
  ['**/node_modules', 'node_modules', true, yes],
  ['/a?c', 'abc', false, yes],
  ['/a?c', 'a/c', false, no],
  ['/a?c', 'aäc', false, yes],
  ['/ä*', 'äb', false, yes],
  ['/[a-c]x', 'bx', false, yes],
  ['/[!a-c]x', 'bx', false, no],
  ['/[!a-c]x', 'dx', false, yes],
  ['/a[', 'a', false, no],
  ['/\\*', '*', false, yes],
  ['/\\*', 'x', false, no],
  ['/a+(b).$', 'a+(b).$', false, yes],
  ['*', 'x', false, yes],
])('%s on %s', (glob, path, isDirectory, excluded) => {
  if (glob === '/a[') return expect(() => parseExcludes([glob])).toThrow(RangeError);
  return expect(parseExcludes([glob]).excludes(rawPath(path), isDirectory)).toBe(excluded);
});

it.each(['', '/', '!', '/x\0', '[a'])('refuses “%s”', (glob) => {
  expect(() => parseExcludes([glob])).toThrow(RangeError);
});

it('lets the last glob that matches decide', () => {
  const excluder = parseExcludes(['/var/log/*', '!/var/log/keep', '/var/log/keep2']);
  expect(excluder.excludes(rawPath('var/log/x'), false)).toBe(true);
  expect(excluder.excludes(rawPath('var/log/keep'), false)).toBe(false);
  expect(excluder.excludes(rawPath('var/log/keep2'), false)).toBe(true);
});

describe('globOfPath', () => {
  it('matches that path and no other, for any path of valid UTF-8', () => {
    const name = fc
      .string({ minLength: 1, unit: 'binary' })
      .filter((text) => !/[\0/\n]/.test(text) && text === text.toWellFormed());
    fc.assert(
      fc.property(name, name, (one, other) => {
        const excluder = parseExcludes([globOfPath(rawPath(one))]);
        expect(excluder.excludes(rawPath(one), false)).toBe(true);
        expect(excluder.excludes(rawPath(other), false)).toBe(one === other);
      }),
    );
  });
});

it('finds directories that need not be entered', () => {
  expect(plainDirectories(['/opt', '/var/tmp/*', '/srv/**', '/x/', '*.iso', '/home/*/x', '/a/*.deb', '/e\\*'])).toEqual(
    ['opt', 'var/tmp', 'srv', 'x'] as RawPath[],
  );
  expect(plainDirectories(['/opt', '!/opt/keep'])).toEqual([]);
});
