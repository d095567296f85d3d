import { describe, expect, it } from 'vitest';
import type { RawPath } from '../foundation/brand.ts';
import type { Entry, EntryType } from '../image/entry.ts';
import { BaseSurvey, editRules, factsOfNewSystem } from './edit-rules.ts';

const path = (text: string) => text as RawPath;

function surveyOf(paths: Record<string, EntryType | number>) {
  const survey = new BaseSurvey();
  for (const [each, kind] of Object.entries(paths)) {
    const type = typeof kind === 'number' ? 'file' : kind;
    const entry: Entry = { path: path(each), type, mode: 0, uid: 0, gid: 0, mtime: { seconds: 0, nanoseconds: 0 } };
    survey.add(typeof kind === 'number' ? { ...entry, size: kind } : entry);
  }
  return survey.facts();
}

describe('what an edit leaves out', () => {
  it('is nothing, of a tree that is no system', () => {
    const rules = editRules(surveyOf({ 'etc/x': 1, 'tmp/x': 1 }));
    expect(rules.excludes(path('tmp/y'), false)).toBe(false);
    expect(rules.secret(path('etc/ssh/ssh_host_rsa_key'), false, () => true)).toBeUndefined();
  });

  it('is what a capture leaves out, unless the version has some of that kind', () => {
    const rules = editRules(surveyOf({ etc: 'directory', usr: 'directory', 'tmp/mine': 1 }));
    expect(rules.excludes(path('tmp/other'), false)).toBe(false);
    expect(rules.excludes(path('var/tmp/other'), false)).toBe(true);
    expect(rules.excludes(path('var/cache/apt/archives/a.deb'), false)).toBe(true);
    expect(rules.excludes(path('usr/bin/a'), false)).toBe(false);
  });

  it('is each secret that the version does not hold; a scrubbed one is not held', () => {
    const rules = editRules(surveyOf({ 'etc/os-release': 1, 'etc/machine-id': 0, 'etc/ssh/ssh_host_rsa_key': 400 }));
    expect(rules.secret(path('etc/ssh/ssh_host_rsa_key'), false, () => true)).toBeUndefined();
    expect(rules.secret(path('etc/ssh/ssh_host_dsa_key'), false, () => true)).toBe('remove');
    expect(rules.secret(path('etc/machine-id'), false, () => true)).toBe('empty');
    // A symlink of that name is no secret.
    expect(rules.secret(path('etc/machine-id'), false, () => false)).toBeUndefined();
    expect(
      editRules(surveyOf({ 'etc/os-release': 1, 'etc/machine-id': 33 })).secret(
        path('etc/machine-id'),
        false,
        () => true,
      ),
    ).toBeUndefined();
  });

  it('goes by the globs of a recipe, too', () => {
    const rules = editRules({
      ...factsOfNewSystem,
      excludes: [...factsOfNewSystem.excludes, '*.pyc', '/usr/share/doc/*'],
    });
    expect(rules.excludes(path('usr/lib/x.pyc'), false)).toBe(true);
    expect(rules.excludes(path('usr/share/doc/x'), true)).toBe(true);
  });
});
