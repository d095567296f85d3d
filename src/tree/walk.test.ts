import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rawPath } from '../foundation/brand.ts';
import { comparePaths } from '../image/entry.ts';
import { walk } from './walk.ts';

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'imprint-walk-'));
  for (const path of ['a', 'a/b', 'a-b', 'z', 'ä']) mkdirSync(join(base, path));
  for (const path of ['a/b/c', 'a/file', 'a.b', 'a-b/x', 'Z']) writeFileSync(join(base, path), '');
  symlinkSync('/', join(base, 'root'));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

describe('walk', () => {
  it('comes by everything once, in the order of a manifest, and follows no link', () => {
    const paths = [...walk(rawPath(base))].map(({ path }) => path);
    expect(paths).toEqual(['', 'Z', 'a', 'a/b', 'a/b/c', 'a/file', 'a-b', 'a-b/x', 'a.b', 'root', 'z', rawPath('ä')]);
    expect(paths).toEqual(paths.toSorted(comparePaths));
  });

  it('leaves out what is excluded, with all that is in it', () => {
    const exclude = (path: string, directory: boolean) => path === 'a' && directory;
    const paths = [...walk(rawPath(base), { exclude })].map(({ path }) => path);
    expect(paths.filter((path) => path.startsWith('a'))).toEqual(['a-b', 'a-b/x', 'a.b']);
  });

  it('names a directory that is not entered', () => {
    const paths = [...walk(rawPath(base), { enter: (path) => path !== 'a/b' })].map(({ path }) => path);
    expect(paths).toContain('a/b');
    expect(paths).not.toContain('a/b/c');
  });

  it('passes over what goes away meanwhile', () => {
    const paths: string[] = [];
    for (const { path } of walk(rawPath(base))) {
      paths.push(path);
      if (path === 'a') rmSync(join(base, 'a'), { recursive: true });
    }
    expect(paths).toContain('z');
    expect(paths).not.toContain('a/b/c');
  });

  it('throws where the root cannot be read', () => {
    expect(() => [...walk(rawPath(join(base, 'nowhere')))]).toThrow(/ENOENT/);
  });
});
