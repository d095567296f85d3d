import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Digest } from '../../src/foundation/brand.ts';
import { Task } from '../../src/foundation/task.ts';
import { createSigner } from '../../src/image/signature.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { openStore } from '../../src/store/open-store.ts';
import { ReadingStore } from '../../src/store/reading-store.ts';
import type { RepairSource } from '../../src/store/repair-content.ts';
import { repairStore } from '../../src/store/repair-store.ts';
import { commitFiles, serveDirectory, temporaryDirectory } from './store-fixture.ts';

const signer = createSigner(generateKeyPairSync('ed25519').privateKey);
const files = { a: randomBytes(5000), b: Buffer.from('some text '.repeat(50)), c: randomBytes(2_000_000) };

async function makeStore(directory: string): Promise<DirectoryStore> {
  const store = await DirectoryStore.open(directory, { create: true, signer });
  await commitFiles(store, 'web', { a: files.a });
  const { record } = await commitFiles(store, 'web', files, ['stable']);
  await using transaction = await store.begin('test', Task.silent());
  await transaction.writeHints(record.digest as Digest, Buffer.from('hints'));
  return store;
}

function repair(store: DirectoryStore, ...sources: RepairSource[]) {
  return repairStore(store, { sources, publicKeys: [signer.publicKey] }, Task.silent());
}

async function filesOf(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name !== 'lock')
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .toSorted();
}

async function another(location: string): Promise<ReadingStore> {
  const store = await openStore(location);
  if (store instanceof ReadingStore) return store;
  throw new Error('no store to read');
}

async function damage(path: string): Promise<void> {
  const bytes = await readFile(path);
  const at = bytes.length >> 1;
  bytes[at] = (bytes[at] ?? 0) ^ 16;
  await writeFile(path, bytes);
}

const injuries: [name: string, hurt: (path: string) => Promise<void>][] = [
  ['changed', damage],
  ['emptied', (path) => writeFile(path, '')],
  ['cut short', async (path) => writeFile(path, (await readFile(path)).subarray(0, -1))],
  ['lost', (path) => rm(path)],
];

test.each(injuries)(
  'any file that is %s is restored from a copy of the store',
  { timeout: 120_000 },
  async (_, hurt) => {
    await using directory = await temporaryDirectory();
    const [here, there] = [join(directory.path, 'here'), join(directory.path, 'there')];
    await makeStore(here);
    await cp(here, there, { recursive: true });
    for (const file of await filesOf(there)) {
      await rm(here, { recursive: true });
      await cp(there, here, { recursive: true });
      await hurt(join(here, file));
      const store = await DirectoryStore.open(here, { mend: true });
      const report = await repair(store, await another(there));
      expect(report.after, `${file}: ${JSON.stringify(report)}`).toEqual([]);
      expect(
        (await store.versions()).map(({ tags }) => tags),
        file,
      ).toEqual([[], ['stable']]);
      await store.close();
    }
  },
);

test('all packs are restored from a checkout, and over HTTP', { timeout: 60_000 }, async () => {
  await using directory = await temporaryDirectory();
  const [here, there, tree] = ['here', 'there', 'tree'].map((name) => join(directory.path, name)) as [
    string,
    string,
    string,
  ];
  const store = await makeStore(here);
  await cp(here, there, { recursive: true });
  await mkdir(tree);
  for (const [name, content] of Object.entries(files)) await writeFile(join(tree, name), content);
  for (const pack of await store.packs()) await damage(store.path(`packs/${pack.slice(0, 2)}/${pack}.pack`));

  // Nothing to take it from: what is still sound is kept, and the rest is named.
  const alone = await repair(store);
  expect(alone.after.length).toBeGreaterThan(0);
  await writeFile(join(tree, 'a'), 'another');
  const partly = await repair(store, { directory: tree });
  expect(partly.after.length).toBeGreaterThan(0);
  await writeFile(join(tree, 'a'), files.a);
  const fully = await repair(store, { directory: tree });
  expect(fully.after).toEqual([]);

  await rm(join(here, 'packs'), { recursive: true });
  await using server = await serveDirectory(there);
  expect((await repair(store, await another(server.url))).after).toEqual([]);
  expect((await store.versions()).map(({ record }) => record.number)).toEqual([1, 2]);
});

test('a repair that was cut between a use file and its list of packs is begun again, and ends', async () => {
  await using directory = await temporaryDirectory();
  const [here, hurt, there] = ['here', 'hurt', 'there'].map((name) => join(directory.path, name)) as [
    string,
    string,
    string,
  ];
  const store = await makeStore(here);
  await cp(here, there, { recursive: true });
  // In the middle: what is lost then is the content, not the pack's own table.
  for (const pack of await store.packs()) await damage(store.path(`packs/${pack.slice(0, 2)}/${pack}.pack`));
  await cp(here, hurt, { recursive: true });
  expect((await repair(store, await another(there))).after).toEqual([]);
  await cp(join(hurt, 'packs'), join(here, 'packs'), { recursive: true });
  for (const name of (await filesOf(hurt)).filter((path) => path.endsWith('.packs')))
    await cp(join(hurt, name), join(here, name));
  expect((await repair(store, await another(there))).after).toEqual([]);
});

test('a store that is whole is left as it is, and one of a later format too', async () => {
  await using directory = await temporaryDirectory();
  const store = await makeStore(directory.path);
  const before = await filesOf(directory.path);
  expect(await repair(store)).toEqual({ repaired: [], before: [], after: [] });
  expect(await filesOf(directory.path)).toEqual(before);
  await writeFile(join(directory.path, 'imprint-store.json'), '{"format":2,"kind":"imprint-store"}\n');
  await expect(DirectoryStore.open(directory.path, { mend: true })).rejects.toMatchObject({ code: 'corrupt-record' });
});
