import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { makeDirectories } from './make-directories.ts';

it('makes what lacks, tells the topmost, and takes what is there', async () => {
  const base = await mkdtemp(join(tmpdir(), 'imprint-directories-'));
  try {
    const path = join(base, 'one/two/three');
    expect(await makeDirectories(path, 0o700)).toBe(join(base, 'one'));
    expect((await stat(join(base, 'one'))).mode & 0o777).toBe(0o700);
    expect(await makeDirectories(path)).toBeUndefined();
    expect(await makeDirectories(join(path, 'four'))).toBe(join(path, 'four'));
    const races = await Promise.all([1, 2, 3].map(() => makeDirectories(join(base, 'a/b/c'))));
    expect(races).toContain(join(base, 'a'));
    await writeFile(join(base, 'file'), '');
    await expect(makeDirectories(join(base, 'file'))).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(makeDirectories(join(base, 'file/below'))).rejects.toMatchObject({ code: 'ENOTDIR' });
  } finally {
    await rm(base, { recursive: true });
  }
});

it('comes to an end where nothing can be made', async () => {
  await expect(makeDirectories('/proc/nowhere/below')).rejects.toMatchObject({ code: 'read-only' });
  await expect(makeDirectories('/proc/sys/nowhere')).rejects.toThrow();
});
