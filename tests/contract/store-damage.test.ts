import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Digest } from '../../src/foundation/brand.ts';
import { errorCatalogue } from '../../src/foundation/error-catalogue.ts';
import { Task } from '../../src/foundation/task.ts';
import { createSigner } from '../../src/image/signature.ts';
import { checkStore } from '../../src/store/check-store.ts';
import type { Defect } from '../../src/store/defect.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { openStore } from '../../src/store/open-store.ts';
import { commitFiles, serveDirectory, temporaryDirectory } from './store-fixture.ts';

const signer = createSigner(generateKeyPairSync('ed25519').privateKey);

async function smallStore(directory: string, signed: boolean): Promise<DirectoryStore> {
  const store = await DirectoryStore.open(directory, { create: true, ...(signed ? { signer } : {}) });
  const { record } = await commitFiles(store, 'web', { a: Buffer.from('some text '.repeat(9)), b: randomBytes(200) }, [
    'stable',
  ]);
  await using transaction = await store.begin('test', Task.silent());
  await transaction.writeHints(record.digest as Digest, Buffer.from('hints'));
  return store;
}

async function check(directory: string): Promise<Defect[]> {
  const store = await openStore(directory);
  return Array.fromAsync(checkStore(store, Task.silent(), { publicKeys: [signer.publicKey] }));
}

/** All files of a store that a check reads, relative. */
async function filesOf(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name !== 'lock')
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .toSorted();
}

describe.each([
  { signed: true, kind: 'signed' },
  { signed: false, kind: 'unsigned' },
])('a $kind store', ({ signed }) => {
  test('is found whole when nothing is wrong', async () => {
    await using directory = await temporaryDirectory();
    await smallStore(directory.path, signed);
    expect(await check(directory.path)).toEqual([]);
  });

  test('has every flipped bit found and named, whichever file it is in', { timeout: 300_000 }, async () => {
    await using directory = await temporaryDirectory();
    const store = await smallStore(directory.path, signed);
    const missed: string[] = [];
    let flips = 0;
    for (const file of (await filesOf(directory.path)).filter((name) => name !== 'imprint-store.json')) {
      const path = join(directory.path, file);
      const good = await readFile(path);
      // Every byte of what holds content; of the small texts every third, for time's sake.
      const step = /\.(pack|manifest)$/.test(file) ? 1 : 3;
      for (let at = 0; at < good.length; at += step) {
        const bad = Buffer.from(good);
        bad[at] = (bad[at] as number) ^ (1 << ((at + flips) % 8));
        await writeFile(path, bad);
        flips += 1;
        const defects = await Array.fromAsync(checkStore(store, Task.silent(), { publicKeys: [signer.publicKey] }));
        const named = defects.some(
          (defect) => defect.path === file || (file === 'index.json' && defect.problem.includes(file)),
        );
        if (!named || defects.some(({ code }) => errorCatalogue[code].exit !== 5)) missed.push(`${file} at ${at}`);
      }
      await writeFile(path, good);
    }
    expect(missed).toEqual([]);
    expect(flips).toBeGreaterThan(700);
    expect(await check(directory.path)).toEqual([]);
  });
});

test('a store of another format is refused, and so is what is no store', async () => {
  await using directory = await temporaryDirectory();
  await smallStore(directory.path, true);
  await writeFile(join(directory.path, 'imprint-store.json'), '{"format":2,"kind":"imprint-store"}\n');
  await expect(openStore(directory.path)).rejects.toMatchObject({ code: 'corrupt-record' });
  await using server = await serveDirectory(directory.path);
  await expect(openStore(server.url)).rejects.toMatchObject({ code: 'corrupt-record' });
  await rm(join(directory.path, 'imprint-store.json'));
  await expect(openStore(directory.path)).rejects.toMatchObject({ code: 'store-not-found' });
  await expect(openStore(directory.path, { create: true })).rejects.toMatchObject({ code: 'target-not-empty' });
  await expect(openStore(server.url)).rejects.toMatchObject({ code: 'store-not-found' });
});

test('flipped bits of a large pack are found too, wherever they are', async () => {
  await using directory = await temporaryDirectory();
  const store = await DirectoryStore.open(directory.path, { create: true });
  await commitFiles(store, 'web', { a: randomBytes(2 << 20), b: Buffer.alloc(3 << 20, 'text ') });
  const [file = ''] = (await filesOf(directory.path)).filter((name) => name.endsWith('.pack'));
  const good = await readFile(join(directory.path, file));
  for (let round = 0; round < 24; round += 1) {
    const at = Math.floor((good.length * round) / 24);
    const bad = Buffer.from(good);
    bad[at] = (bad[at] as number) ^ (1 << (round % 8));
    await writeFile(join(directory.path, file), bad);
    const defects = await check(directory.path);
    expect(defects.filter(({ path }) => path === file)).toMatchObject([{ kind: 'pack', code: 'corrupt-pack' }]);
    // A table that cannot be read hides who needs the pack; that content is missing is then said of the version.
    expect(defects.flatMap(({ affects }) => affects)).toContain('web:1');
  }
});

test('readers get exit status 5 for a damaged manifest, record or pack list, not content', async () => {
  await using directory = await temporaryDirectory();
  const store = await smallStore(directory.path, true);
  const { record } = await store.resolve('web');
  const hex = record.digest.slice(7);
  for (const [file, read] of [
    [`manifests/${hex}.manifest`, () => Array.fromAsync(store.entries(record.digest as Digest))],
    ['images/web/1.json', () => store.resolve('web')],
    ['images/web/1.json.minisig', () => store.resolve('web')],
    ['images/web/tags/stable', () => store.resolve('web:stable')],
  ] as const) {
    const path = join(directory.path, file);
    const good = await readFile(path);
    for (const at of [0, good.length >> 1, good.length - 1]) {
      const bad = Buffer.from(good);
      bad[at] = (bad[at] as number) ^ 1;
      await writeFile(path, bad);
      // A signature's base64 may still be base64; that it is wrong is for `verifyVersion` to say.
      if (file.endsWith('minisig') && at === good.length >> 1) continue;
      await expect(read(), `${file} at ${at}`).rejects.toMatchObject({ exitStatus: 5 });
    }
    await writeFile(path, good);
  }
});

test('capturing again heals a damaged pack', async () => {
  await using directory = await temporaryDirectory();
  const store = await DirectoryStore.open(directory.path, { create: true });
  const content = { a: randomBytes(1000) };
  await commitFiles(store, 'web', content);
  const [file = ''] = (await filesOf(directory.path)).filter((name) => name.endsWith('.pack'));
  const bad = await readFile(join(directory.path, file));
  bad[20] = (bad[20] as number) ^ 1;
  await writeFile(join(directory.path, file), bad);
  expect(await check(directory.path)).toMatchObject([{ kind: 'pack', path: file, affects: ['web:1'] }]);
  // Another capture of the same content; its pack is the same file, so it takes the damaged one's place.
  await commitFiles(store, 'web', content);
  expect(await check(directory.path)).toEqual([]);
});
