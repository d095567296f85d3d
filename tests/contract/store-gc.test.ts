import { hash, randomBytes } from 'node:crypto';
import { readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { Digest } from '../../src/foundation/brand.ts';
import { Task } from '../../src/foundation/task.ts';
import { checkStore } from '../../src/store/check-store.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { Store } from '../../src/store/store.ts';
import { decompress } from '../../src/store/zstd.ts';
import { addPack, commitFiles, serveDirectory, temporaryDirectory, treeOf } from './store-fixture.ts';

const hour = 60 * 60 * 1000;

function collect(store: DirectoryStore, options: { grace: number; dryRun?: boolean } = { grace: 0 }) {
  return store.collect(options, Task.silent());
}

async function defects(store: DirectoryStore) {
  return Array.fromAsync(checkStore(store, Task.silent()));
}

async function read(store: Store, content: Buffer, digest: Digest): Promise<boolean> {
  const name = hash('sha256', content, 'hex');
  const place = (await store.locate([name], digest)).get(name);
  if (place === undefined) return false;
  const frame = await store.readPack(place.pack, place.frameOffset, place.frameLength);
  return decompress(frame, place.frameContentLength)
    .subarray(place.offset, place.offset + place.length)
    .equals(content);
}

async function namesIn(directory: string, ending: string): Promise<string[]> {
  return (await readdir(directory, { recursive: true })).filter((name) => name.endsWith(ending));
}

test('a collection of a tidy store does nothing', async () => {
  await using directory = await temporaryDirectory();
  const store = await DirectoryStore.open(directory.path, { create: true });
  await commitFiles(store, 'web', { a: randomBytes(5000) });
  expect(await collect(store)).toMatchObject({ packsDeleted: 0, bytesFreed: 0, packsRewritten: 0, packsWaiting: 0 });
  expect(await defects(store)).toEqual([]);
});

test('what a killed capture left waits for the grace period, is used again by the next capture, and else goes', async () => {
  await using directory = await temporaryDirectory();
  const store = await DirectoryStore.open(directory.path, { create: true });
  const content = randomBytes(5000);
  {
    await using transaction = await store.begin('killed', Task.silent());
    const { chunks } = await addPack(transaction, [content, randomBytes(10)]);
    await transaction.writeManifest([treeOf({ a: chunks[0] as never })]);
  }
  const dry = await collect(store, { grace: hour, dryRun: true });
  expect(dry).toMatchObject({ manifestsDeleted: 1, packsDeleted: 0, packsWaiting: 1 });
  expect(await namesIn(directory.path, '.manifest')).toHaveLength(1);
  const first = await collect(store, { grace: hour });
  expect(first).toEqual({ ...dry, waitingUntil: first.waitingUntil });
  expect(await namesIn(directory.path, '.manifest')).toEqual([]);
  expect(await namesIn(directory.path, '.retired')).toHaveLength(1);
  expect(await defects(store)).toEqual([]);
  expect(await collect(store, { grace: hour })).toMatchObject({ packsDeleted: 0, packsWaiting: 1 });

  const version = await commitFiles(store, 'web', { a: content });
  expect(version.record.stats.newBytes).toBe(0);
  expect(await namesIn(directory.path, '.retired')).toEqual([]);
  expect((await collect(store, { grace: hour })).packsDeleted).toBe(0);
  expect(await read(store, content, version.record.digest as Digest)).toBe(true);

  await store.remove('web:1', { grace: hour });
  const [pack = ''] = await store.packs();
  expect(await namesIn(directory.path, '.retired')).toHaveLength(1);
  const mark = store.path(`packs/${pack.slice(0, 2)}/${pack}.retired`);
  const before = new Date(Date.now() - 2 * hour);
  await utimes(mark, before, before);
  expect(await collect(store, { grace: hour })).toMatchObject({ packsDeleted: 1 });
  expect(await store.packs()).toEqual([]);
  expect(await defects(store)).toEqual([]);
});

test('a version that is read keeps its manifest and its packs when it is removed', async () => {
  await using directory = await temporaryDirectory();
  const writer = await DirectoryStore.open(directory.path, { create: true });
  const content = randomBytes(70_000);
  const { record } = await commitFiles(writer, 'web', { content });
  const digest = record.digest as Digest;
  const reader = await openStore(directory.path);
  await Array.fromAsync(reader.entries(digest));
  const report = await writer.remove('web:1');
  expect(report).toMatchObject({ packsDeleted: 0, bytesFreed: 0 });
  expect(report.bytesWaiting).toBeGreaterThan(70_000);
  expect(await collect(writer)).toMatchObject({ manifestsDeleted: 0, packsDeleted: 0 });
  expect(await read(reader, content, digest)).toBe(true);
  await reader.close();
  expect(await collect(writer)).toMatchObject({ manifestsDeleted: 1, packsDeleted: 1 });
  await expect(Array.fromAsync(reader.entries(digest))).rejects.toMatchObject({ code: 'image-not-found' });
  expect(await defects(writer)).toEqual([]);
});

test('a pack of which little is needed is rewritten; who reads it keeps it', async () => {
  await using directory = await temporaryDirectory();
  const store = await DirectoryStore.open(directory.path, { create: true });
  const [kept, gone] = [randomBytes(3000), randomBytes(60_000)];
  await commitFiles(store, 'web', { kept, gone });
  const { record } = await commitFiles(store, 'web', { kept });
  const digest = record.digest as Digest;
  expect((await store.remove('web:1')).bytesUnreferenced).toBeGreaterThan(59_000);
  const [old = ''] = await store.packs();

  const reader = await openStore(directory.path);
  const name = hash('sha256', kept, 'hex');
  const place = (await reader.locate([name], digest)).get(name);
  expect(place?.pack).toBe(old);
  const plan = await collect(store, { grace: 0, dryRun: true });
  expect(plan).toMatchObject({ packsRewritten: 1 });
  const report = await collect(store);
  expect(report).toMatchObject({ packsRewritten: 1, packsDeleted: 0, packsWaiting: 1 });
  expect(Math.abs(report.bytesWritten - plan.bytesWritten)).toBeLessThan(300);
  expect(await store.packs()).toHaveLength(2);
  // Where it was before the collection, as a reader has it in hand.
  expect((await reader.readPack(old, place?.frameOffset ?? 0, 10)).length).toBe(10);
  expect(await defects(store)).toEqual([]);
  expect(await collect(store)).toMatchObject({ packsDeleted: 0, packsWaiting: 1 });

  await reader.close();
  // A store that stays open learns where things are now.
  expect(await read(store, kept, digest)).toBe(true);
  expect(await collect(store)).toMatchObject({ packsRewritten: 0, packsDeleted: 1, packsWaiting: 0 });
  expect(await store.packs()).not.toContain(old);
  expect(await read(store, kept, digest)).toBe(true);
  expect(await defects(store)).toEqual([]);
  expect((await commitFiles(store, 'web', { kept })).record.digest).toBe(digest);
});

test('who reads over HTTP keeps what moved for the grace period', async () => {
  await using directory = await temporaryDirectory();
  const store = await DirectoryStore.open(directory.path, { create: true });
  const kept = randomBytes(3000);
  await commitFiles(store, 'web', { kept, gone: randomBytes(60_000) });
  const { record } = await commitFiles(store, 'web', { kept });
  await using server = await serveDirectory(directory.path);
  const reader = await openStore(server.url);
  await reader.locate([hash('sha256', kept, 'hex')], record.digest as Digest);
  await store.remove('web:1');
  expect(await collect(store, { grace: hour })).toMatchObject({ packsRewritten: 1, packsDeleted: 0, packsWaiting: 1 });
  expect(await read(reader, kept, record.digest as Digest)).toBe(true);
  expect(await read(await openStore(server.url), kept, record.digest as Digest)).toBe(true);
});

test('use files that are missing or damaged are made anew, and nothing that is needed goes', async () => {
  await using directory = await temporaryDirectory();
  const store = await DirectoryStore.open(directory.path, { create: true });
  const [a, b] = [randomBytes(3000), randomBytes(3000)];
  const first = await commitFiles(store, 'web', { a });
  const second = await commitFiles(store, 'web', { a, b });
  const usesOf = (digest: string) => store.path(`uses/${digest.slice(7)}.uses`);
  await rm(usesOf(first.record.digest));
  await writeFile(usesOf(second.record.digest), Buffer.alloc(100));
  expect(await defects(store)).toMatchObject([{ kind: 'uses' }]);
  expect(await collect(store)).toMatchObject({ packsDeleted: 0, packsRewritten: 0 });
  expect(await defects(store)).toEqual([]);
  expect(await namesIn(directory.path, '.uses')).toHaveLength(2);

  // Where neither use file nor manifest can be read, nothing goes.
  await rm(usesOf(second.record.digest));
  await writeFile(store.path(`manifests/${second.record.digest.slice(7)}.manifest`), 'nonsense');
  await expect(collect(store)).rejects.toMatchObject({ code: 'corrupt-manifest' });
  expect(await store.packs()).toHaveLength(2);
});

test('content that a sound pack holds as well lets a damaged pack go', async () => {
  await using directory = await temporaryDirectory();
  const store = await DirectoryStore.open(directory.path, { create: true });
  const [a, b] = [randomBytes(3000), randomBytes(3000)];
  const { record } = await commitFiles(store, 'web', { a, b });
  const [pack = ''] = await store.packs();
  await store.markPack(pack, true);
  await commitFiles(store, 'db', { a, b, c: randomBytes(10) });
  await store.remove('db:1', { grace: hour });
  expect(await collect(store)).toMatchObject({ packsDeleted: 1 });
  expect(await store.packs()).toHaveLength(1);
  expect(await store.packs()).not.toContain(pack);
  expect(await read(store, b, record.digest as Digest)).toBe(true);
  expect(await defects(store)).toEqual([]);
});

test('a reader keeps its lease when the same tree is captured again', async () => {
  await using directory = await temporaryDirectory();
  const writer = await DirectoryStore.open(directory.path, { create: true });
  const content = randomBytes(5000);
  const digest = (await commitFiles(writer, 'web', { content })).record.digest as Digest;
  const reader = await openStore(directory.path);
  {
    await using _lease = await reader.lease(digest);
    await commitFiles(writer, 'web', { content });
    await writer.remove('web:*');
    expect(await collect(writer)).toMatchObject({ manifestsDeleted: 0, packsDeleted: 0 });
    expect(await read(reader, content, digest)).toBe(true);
  }
  await reader.close();
  expect(await collect(writer)).toMatchObject({ manifestsDeleted: 1, packsDeleted: 1 });
  expect(await defects(writer)).toEqual([]);
});
