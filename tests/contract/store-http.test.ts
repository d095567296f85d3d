import { hash, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { Digest } from '../../src/foundation/brand.ts';
import type { Clock } from '../../src/foundation/clock.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { HttpStore } from '../../src/store/http-store.ts';
import { manifestPath } from '../../src/store/layout.ts';
import { commitFiles, type Misbehaviour, serveDirectory, temporaryDirectory } from './store-fixture.ts';

const content = randomBytes(100_000);

/** A clock whose waits take no time, and are counted. */
function hastyClock(): Clock & { waits: number[] } {
  const waits: number[] = [];
  return { waits, now: () => 0, sleep: async (milliseconds) => void waits.push(milliseconds) };
}

async function served(misbehave?: Misbehaviour) {
  const directory = await temporaryDirectory();
  const store = await DirectoryStore.open(directory.path, { create: true });
  const version = await commitFiles(store, 'web', { content });
  const server = await serveDirectory(directory.path, misbehave);
  return {
    version,
    server,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

async function readContent(store: HttpStore, digest?: Digest): Promise<Uint8Array> {
  const name = hash('sha256', content, 'hex');
  const place = (await store.locate([name], digest)).get(name);
  if (place === undefined) throw new Error('not located');
  return store.readPack(place.pack, place.frameOffset, place.frameLength);
}

test('a server that fails now and then is asked again', async () => {
  await using there = await served((_, request) => (request % 3 === 0 ? 503 : request % 3 === 1 ? 'cut' : undefined));
  const clock = hastyClock();
  await using store = await HttpStore.open(there.server.url, { clock });
  expect((await store.resolve('web')).record).toEqual(there.version.record);
  await Array.fromAsync(store.entries(there.version.record.digest as Digest));
  expect((await readContent(store)).length).toBeGreaterThan(content.length);
  expect(clock.waits.length).toBeGreaterThan(3);
});

test('what came before a connection broke is not asked for again', async () => {
  await using there = await served((path, request) => (path.endsWith('.pack') && request < 12 ? 'cut' : undefined));
  await using store = await HttpStore.open(there.server.url, { clock: hastyClock() });
  const digest = there.version.record.digest as Digest;
  await readContent(store, digest);
  const starts = there.server.requests
    .map((request) => /\.pack bytes=(\d+)-/.exec(request)?.[1])
    .filter((start) => start !== undefined)
    .map(Number);
  expect(new Set(starts).size).toBe(starts.length);
});

test('a version’s own list of packs spares reading all tables', async () => {
  await using there = await served();
  await using store = await HttpStore.open(there.server.url);
  await readContent(store, there.version.record.digest as Digest);
  expect(there.server.requests.filter((request) => request.includes('.pack ')).length).toBe(2);
});

test('a manifest is fetched once for many readers, and again where it came damaged', async () => {
  await using directory = await temporaryDirectory();
  const whole = await DirectoryStore.open(directory.path, { create: true });
  const { record } = await commitFiles(whole, 'web', { content });
  const file = whole.path(manifestPath(record.digest as Digest));
  await using server = await serveDirectory(directory.path);
  await using store = await HttpStore.open(server.url);
  const entries = () => Array.fromAsync(store.entries(record.digest as Digest));
  const good = await readFile(file);
  await writeFile(file, Buffer.concat([good.subarray(0, -1), Buffer.from([255 - (good.at(-1) ?? 0)])]));
  await expect(entries()).rejects.toMatchObject({ code: 'corrupt-manifest' });
  await writeFile(file, good);
  const asked = () => server.requests.filter((request) => request.includes('.manifest')).length;
  const before = asked();
  expect(await entries()).toEqual(await entries());
  expect(await store.manifestFile(record.digest as Digest)).toEqual(good);
  expect(asked() - before).toBe(1);
});

test('a server that is gone, that says no, or that stalls is store-unreachable, with the reason', async () => {
  const clock = hastyClock();
  const patient = hastyClock();
  let gone = '';
  let known: HttpStore;
  {
    await using there = await served((path) => (path.includes('index') ? 403 : undefined));
    gone = there.server.url;
    known = await HttpStore.open(gone, { clock: patient });
    await using store = await HttpStore.open(gone, { clock });
    await expect(store.versions()).rejects.toMatchObject({
      code: 'store-unreachable',
      message: expect.stringContaining('403'),
    });
    expect(clock.waits).toEqual([]);
  }
  await expect(HttpStore.open(gone, { clock })).rejects.toMatchObject({
    code: 'store-unreachable',
    message: expect.stringContaining('refused'),
  });
  expect(clock.waits, 'a server that never answered may be a wrong address').toEqual([250, 500]);
  await expect(known.versions()).rejects.toMatchObject({ code: 'store-unreachable' });
  expect(patient.waits).toEqual([250, 500, 1000, 2000, 4000, 8000]);
  await known.close();
  await using stalled = await served(() => 'stall');
  await expect(HttpStore.open(stalled.server.url, { retries: 0, stall: 50 })).rejects.toMatchObject({
    code: 'store-unreachable',
    message: expect.stringContaining('nothing came'),
  });
});

test('an abort ends a request at once', async () => {
  await using there = await served((path) => (path.includes('index') ? 'stall' : undefined));
  const abort = new AbortController();
  await using store = await HttpStore.open(there.server.url, { signal: abort.signal });
  const waiting = store.versions();
  abort.abort();
  await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
});
