import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commands, globalOptions } from '../../src/cli/command-table.ts';
import { root } from './source-files.ts';

const pages = ['README.md', 'ARCHITECTURE.md', ...globSync('docs/**/*.md', { cwd: root })].sort();
const read = (page: string) => readFileSync(join(root, page), 'utf8');
const known = new Map(
  commands.map(({ name, options = [] }) => [
    name,
    new Set([...options, ...globalOptions].flatMap(({ flags }) => flags.match(/--[a-z][\w-]*/g) ?? [])),
  ]),
);
/** Words of formats that are described there, and of no command line. */
const formats = new Set(['gear', 'in-place']);

describe.each(pages)('%s', (page) => {
  const text = read(page);

  it('links to pages and parts that there are', () => {
    for (const [, target = '', part] of text.matchAll(/\]\(([^)#\s]*)(?:#([^)]+))?\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const path = target === '' ? page : join(dirname(page), target);
      expect(existsSync(join(root, path)), path).toBe(true);
      if (part !== undefined) expect(anchorsOf(read(path)), `${path}#${part}`).toContain(part);
    }
  });

  it('names files that there are', () => {
    for (const [, path = ''] of text.matchAll(/`((?:src|tests|bench|boot|scripts)\/[\w./*-]+)`/g))
      expect(globSync(path.replace(/\/$/, ''), { cwd: root }), path).not.toEqual([]);
  });

  it('uses commands and options that there are', () => {
    for (const [line, words = ''] of text.matchAll(/(?:^|[`\n]|\.\/)imprint ([a-z][^`\n#]*)/g)) {
      const [first = '', second = ''] = words.split(/\s+/);
      if (formats.has(first)) continue;
      const options = known.get(`${first} ${second}`) ?? known.get(first);
      expect(options, line.trim()).toBeDefined();
      const ours = words.split(' -- ')[0]?.match(/(?<=[\s[])--[a-z][\w-]*/g) ?? [];
      for (const option of ours)
        expect(option === '--help' || options?.has(option), `${line.trim()}: ${option}`).toBe(true);
    }
  });
});

/** The parts of a page as links name them. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
