import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root, sourceFiles } from './source-files.ts';

const files = sourceFiles('src');

describe('the files', () => {
  it('are called by nouns in kebab case', () => {
    expect(files.filter((path) => !/^src(\/[a-z][a-z0-9]*(-[a-z0-9]+)*)+\.ts$/.test(path))).toEqual([]);
  });

  it('have no drawer for odds and ends', () => {
    const drawers = globSync('{src,tests,boot,scripts}/**/{utils,util,helpers,helper,common,misc,lib}{,.ts}', {
      cwd: root,
    });
    expect(drawers).toEqual([]);
  });

  it('stay readable: none is longer than 400 lines', () => {
    const lines = (path: string) => readFileSync(join(root, path), 'utf8').split('\n').length;
    expect(files.filter((path) => !path.endsWith('error-catalogue.ts') && lines(path) > 400)).toEqual([]);
  });

  it('have named exports only', () => {
    expect(files.filter((path) => /^export default/m.test(readFileSync(join(root, path), 'utf8')))).toEqual([]);
  });

  it('know no path and no host of the machine that they were written on', () => {
    const text = (path: string) => readFileSync(join(root, path), 'utf8');
    const all = globSync('{src,tests,docs,boot,scripts,demo}/**/*.{ts,md,sh}', { cwd: root });
    const own = ['work', 'main'].join('/');
    expect(all.filter((path) => text(path).includes(`/${own}`))).toEqual([]);
  });

  it('are all under one licence', () => {
    expect(readFileSync(join(root, 'LICENSE'), 'utf8')).toContain('Apache License');
    const { license } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { license: string };
    expect(license).toBe('Apache-2.0');
  });
});
