import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { ImageDiff } from '../../src/contract/operations/comparisons.ts';
import { securityLevels } from '../lab/security-levels.ts';

const run = promisify(execFile);
const launcher = join(import.meta.dirname, '../../imprint');

test('image diff names the packages of a security update, as dpkg itself compares the two', async () => {
  const levels = await securityLevels();
  const scratch = await mkdtemp(join(tmpdir(), 'imprint-levels-'));
  try {
    const imprint = async (...words: string[]) =>
      (
        await run(launcher, ['--data', join(scratch, 'data'), ...words], {
          maxBuffer: 1 << 28,
          env: { ...process.env, LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8' },
        })
      ).stdout;
    await imprint('capture', levels.released, '--name', 'debian', '--message', 'as released');
    await imprint('capture', levels.updated, '--name', 'debian', '--message', 'with security updates');

    const [before, after] = [await installed(levels.released), await installed(levels.updated)];
    const expected = [...new Set([...before.keys(), ...after.keys()])]
      .filter((id) => before.get(id) !== after.get(id))
      .map((id) => [id, before.get(id), after.get(id)]);
    expect(expected.map(([id]) => id)).toContain('openssl');

    const diff = JSON.parse(await imprint('image', 'diff', 'debian', '--json')) as ImageDiff;
    const found = diff.packages.map((each) => [each.id, each.before, each.after]);
    expect(found.toSorted(byName)).toEqual(expected.toSorted(byName));
    const openssl = diff.changes.find(({ path }) => path === 'usr/bin/openssl');
    expect(openssl).toMatchObject({ kind: 'changed', package: 'openssl' });

    const words = await imprint('image', 'diff', 'debian:1', 'debian:2');
    expect(words).toContain(`~ openssl ${before.get('openssl')} → ${after.get('openssl')}`);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
});

/** What dpkg says is installed in a tree: `libc6:amd64` → version. */
async function installed(tree: string): Promise<Map<string, string>> {
  const format = '${binary:Package}\\t${Version}\\n';
  const { stdout } = await run('dpkg-query', [`--admindir=${tree}/var/lib/dpkg`, '--show', `--showformat=${format}`]);
  return new Map(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split('\t') as [string, string]),
  );
}

function byName([left]: readonly unknown[], [right]: readonly unknown[]): number {
  return String(left) < String(right) ? -1 : 1;
}
