import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type RootFiles, rootFiles } from './root-files.ts';

let base: string;
let files: RootFiles;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'imprint-root-'));
  await mkdir(join(base, 'root/etc'), { recursive: true });
  await writeFile(join(base, 'outside'), 'ours');
  files = rootFiles(join(base, 'root'));
});
afterEach(() => rm(base, { recursive: true, force: true }));

it('follows links as the other system would, and never out of it', async () => {
  await symlink('/usr/lib', join(base, 'root/lib'));
  await symlink('../../../outside', join(base, 'root/etc/climbing'));
  await symlink(join(base, 'outside'), join(base, 'root/etc/absolute'));
  await files.write('lib/systemd/unit', 'x');
  expect(await readFile(join(base, 'root/usr/lib/systemd/unit'), 'utf8')).toBe('x');
  expect(await files.read('etc/climbing')).toBeUndefined();
  expect(await files.read('etc/absolute')).toBeUndefined();
});

it('replaces a link instead of writing through it', async () => {
  await symlink(join(base, 'outside'), join(base, 'root/etc/hostname'));
  await files.write('etc/hostname', 'web01\n', 0o600);
  expect(await files.read('etc/hostname')).toBe('web01\n');
  expect((await stat(join(base, 'root/etc/hostname'))).mode & 0o777).toBe(0o600);
  expect(await readFile(join(base, 'outside'), 'utf8')).toBe('ours');
});

it('removes by pattern within one name', async () => {
  for (const name of ['a.lease', 'b.lease', 'keep']) await files.write(`var/lib/dhcp/${name}`, '');
  expect((await files.remove('var/lib/dhcp/*.lease')).sort()).toEqual(['var/lib/dhcp/a.lease', 'var/lib/dhcp/b.lease']);
  expect(await files.exists('var/lib/dhcp/keep')).toBe(true);
  expect(await files.remove('no/such/*')).toEqual([]);
});

it('does not follow a circle for ever', async () => {
  await symlink('b', join(base, 'root/a'));
  await symlink('a', join(base, 'root/b'));
  await expect(files.write('a/file', 'x')).rejects.toMatchObject({ code: 'ELOOP' });
});
