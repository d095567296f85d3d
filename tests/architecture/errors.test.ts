import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { errorCatalogue } from '../../src/foundation/error-catalogue.ts';
import { root, sourceFiles } from './source-files.ts';

const page = readFileSync(join(root, 'docs/errors.md'), 'utf8');

/** What the page says of each code: its part, with the exit status of the chapter that it stands in. */
const documented = new Map<string, { exit: number; text: string }>();
for (const chapter of page.split(/^## /m).slice(1)) {
  const exit = Number(/^(\d+):/.exec(chapter)?.[1]);
  for (const part of chapter.split(/^### /m).slice(1)) {
    const [code = '', ...lines] = part.split('\n');
    documented.set(code, { exit, text: lines.join('\n') });
  }
}

describe('docs/errors.md', () => {
  it('has a part for each code of the catalogue, and no other', () => {
    expect([...documented.keys()].sort()).toEqual(Object.keys(errorCatalogue).sort());
  });

  it.each(Object.entries(errorCatalogue))('says of %s what the catalogue says', (code, definition) => {
    const part = documented.get(code);
    expect(part?.exit).toBe(definition.exit);
    expect(part?.text).toContain(`HTTP ${definition.http}.`);
    expect(part?.text).toContain(`> ${definition.message}\n`);
    expect(part?.text).toContain(`> → ${definition.hint}\n`);
    // And says it in its own words too.
    expect(part?.text.split('\n\n')[1]?.length).toBeGreaterThan(20);
  });
});

describe('the catalogue', () => {
  it('has no code that nothing throws or reads', () => {
    const sources = sourceFiles('src').filter((path) => !path.endsWith('error-catalogue.ts'));
    const text = sources.map((path) => readFileSync(join(root, path), 'utf8')).join('\n');
    expect(Object.keys(errorCatalogue).filter((code) => !text.includes(`'${code}'`))).toEqual([]);
  });

  it('names only commands that there are', async () => {
    const { commands } = await import('../../src/cli/command-table.ts');
    const names = commands.map(({ name }) => name);
    const hints = Object.values(errorCatalogue).map(({ hint, message }) => `${hint} ${message}`);
    const named = hints.flatMap((text) =>
      [...text.matchAll(/\bimprint ([a-z]+(?: [a-z]+)?)/g)].map((match) => match[1] ?? ''),
    );
    const unknown = named.filter((words) => !names.includes(words) && !names.includes(words.split(' ')[0] ?? ''));
    expect(unknown).toEqual([]);
  });
});
