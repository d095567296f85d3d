import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isoListings } from '../../tests/fixtures/iso-listings.ts';
import { isoFamilies } from './iso-families.ts';
import { firmwareOf, matchIso } from './iso-match.ts';
import { renderIsoScript } from './key-script.ts';

/** Paths with the directories above them. */
function withDirectories(paths: readonly string[]): Set<string> {
  const all = new Set<string>();
  for (const path of paths) for (let at = path; at !== '/'; at = dirname(at)) all.add(at);
  return all;
}

describe('matchIso', () => {
  it.each(isoListings.map((listing) => [listing.name, listing] as const))('knows %s', (_, { paths, family }) => {
    expect(matchIso(withDirectories(paths))?.id).toBe(family);
  });

  it('has an example of every family', () => {
    const known = new Set(isoListings.map(({ family }) => family));
    expect(isoFamilies.map(({ id }) => id).filter((id) => !known.has(id))).toEqual([]);
  });
});

describe('the table of families', () => {
  it('either starts one, or says why not', () => {
    for (const { id, entries, refusal } of isoFamilies) {
      expect(entries.length > 0 || (refusal ?? '') !== '', id).toBe(true);
      expect(refusal ?? '.', id).toMatch(/\.$/);
    }
  });

  it('says why, wherever one starts on one kind of firmware only', () => {
    for (const family of isoFamilies)
      if (firmwareOf(family).length === 1) expect(family.refusal, family.id).toBeDefined();
  });

  it('tells each kernel where the file lies', () => {
    for (const { id, entries } of isoFamilies)
      for (const entry of entries)
        if (entry.kind === 'linux' && entry.whole === undefined) expect(entry.options, id).toContain('$iso');
  });

  it('has ids that GRUB script takes, each once', () => {
    const ids = isoFamilies.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.filter((id) => !/^[a-z-]+$/.test(id))).toEqual([]);
  });
});

it('writes lines that fit a screen of 80', () => {
  const shown = [...renderIsoScript().matchAll(/echo '(.*)'/g)].map(([, text = '']) => text.replaceAll("'\\''", "'"));
  expect(shown.filter((text) => text.length > 79)).toEqual([]);
});
