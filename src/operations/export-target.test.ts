import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { writingBeside } from './export-target.ts';

const { signal } = new AbortController();
const write = (path: string) => writingBeside(path, 'file', false, signal, (aside) => writeFile(aside, 'all of it'));

it('names the directory that is missing, and writes where there is one', async () => {
  const base = await mkdtemp(join(tmpdir(), 'imprint-target-'));
  try {
    const missing = { code: 'directory-not-found', details: { directory: join(base, 'none') } };
    await expect(write(join(base, 'none/web.tar'))).rejects.toMatchObject(missing);
    await write(join(base, 'web.tar'));
    expect(await readFile(join(base, 'web.tar'), 'utf8')).toBe('all of it');
    await expect(write(join(base, 'web.tar/below'))).rejects.toMatchObject({ code: 'directory-not-found' });
    await expect(write(join(base, 'web.tar'))).rejects.toMatchObject({ code: 'target-exists' });
  } finally {
    await rm(base, { recursive: true });
  }
});
