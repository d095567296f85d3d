import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { InstalledStack } from '../../machine/installed-stack.ts';
import { carryKeys, rootKeys, writeKey } from './stack-executors.ts';

const stack: InstalledStack = {
  raids: [],
  crypts: [
    { name: 'system', uuid: 'u-1', root: true, keyFile: '/etc/cryptsetup-keys.d/system.key' },
    { name: 'data', uuid: 'u-2', keyFile: '/etc/cryptsetup-keys.d/data.key' },
    { name: 'asked', uuid: 'u-3', root: true },
  ],
  groups: [],
};

it('writes keys for root alone, carries them to the next version, and tells the initial RAM disk those of the root', async () => {
  const place = await mkdtemp(join(tmpdir(), 'imprint-keys-'));
  try {
    const [one, next] = [join(place, 'one'), join(place, 'next')];
    await writeKey(one, '/etc/cryptsetup-keys.d/system.key', 'first');
    await writeKey(one, '/etc/cryptsetup-keys.d/data.key', 'second');
    const path = join(one, 'etc/cryptsetup-keys.d/system.key');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(path, '..'))).mode & 0o777).toBe(0o700);
    await carryKeys(one, next, stack);
    expect(await readFile(join(next, 'etc/cryptsetup-keys.d/data.key'), 'utf8')).toBe('second');
    expect(await rootKeys(next, stack)).toEqual([{ path: 'cryptroot/keyfiles/system.key', content: 'first' }]);
    expect(await rootKeys(next, undefined)).toEqual([]);
  } finally {
    await rm(place, { recursive: true, force: true });
  }
});
