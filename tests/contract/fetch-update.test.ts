import { generateKeyPairSync, hash, randomBytes } from 'node:crypto';
import { readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { Task, type TaskEvent } from '../../src/foundation/task.ts';
import { createSigner } from '../../src/image/signature.ts';
import { trustOfKey } from '../../src/image/trust-document.ts';
import { FetchPlace } from '../../src/operations/update/fetch-place.ts';
import { type FetchRequest, fetchUpdate } from '../../src/operations/update/fetch-update.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { HttpStore } from '../../src/store/http-store.ts';
import { manifestPath } from '../../src/store/layout.ts';
import { createGuard } from '../../src/store/version-guard.ts';
import { fixtureSigner } from './image-format-tree.ts';
import { commitFiles, type Misbehaviour } from './store-fixture.ts';
import { contents, digestOf, setVersionTime, sums, updateWorld } from './update-world.ts';

const old = { changed: randomBytes(200_000), same: randomBytes(300_000), small: Buffer.from('old') };
const files = { changed: randomBytes(200_000), new: randomBytes(1000), same: old.same, small: Buffer.from('new') };

/** `updateWorld` with a place to fetch to. */
async function world(misbehave?: Misbehaviour) {
  const there = await updateWorld(old, files, { retries: 2, misbehave });
  const { store, version, base, directory } = there;
  const place = join(directory.path, 'place');
  return { ...there, place, request: { store, version, base, place } };
}

const fetching = (request: Omit<FetchRequest, 'task'>) => fetchUpdate({ ...request, task: Task.silent() });

const names = (update: Record<string, Buffer>) => Object.keys(update);

test('what is here already is not fetched, and the rest is there without the store', async () => {
  await using there = await world();
  await using update = await fetching(there.request);
  expect(update.transferred.bytes).toBeLessThan(220_000);
  await there.server[Symbol.asyncDispose]();
  const all = await contents(update);
  expect(names(all)).toEqual(['changed', 'new', 'same', 'small']);
  expect(sums(all)).toEqual(sums(files));
  expect(hash('sha256', await readFile(update.manifestFile))).toBe(
    hash('sha256', await readFile(there.kept.path(manifestPath(digestOf(there.version))))),
  );
});

test('files that were changed here count as missing: by their time beforehand, by their content whatever they claim', async () => {
  await using there = await world();
  const claims = join(there.root, 'same');
  await writeFile(claims, randomBytes(300_000));
  setVersionTime(claims);
  await using update = await fetching(there.request);
  const lacking = update.transferred.bytes;
  expect(sums(await contents(update))).toEqual(sums(files));
  expect(update.transferred.bytes).toBeGreaterThan(lacking + 300_000);
  await utimes(claims, 1, 1);
  await using again = await fetching({ ...there.request, place: `${there.place}-2` });
  expect(again.transferred.bytes).toBeGreaterThan(500_000);
});

test('without a base all of it is fetched', async () => {
  await using there = await world();
  const { base: _, ...request } = there.request;
  await using update = await fetching(request);
  expect(sums(await contents(update))).toEqual(sums(files));
});

test('what came before a cut is not fetched again', async () => {
  let broken = 0;
  await using there = await world((path) => {
    if (!path.endsWith('.pack') || broken < 0) return undefined;
    broken += 1;
    return broken < 4 ? undefined : broken < 8 ? 'cut' : 403;
  });
  const { base: _, ...request } = there.request;
  await expect(fetching(request)).rejects.toMatchObject({ code: 'store-unreachable' });
  broken = -1;
  const place = await FetchPlace.open(there.place, digestOf(there.version));
  expect((await stat(place.path('manifest'))).size).toBeGreaterThan(0);
  await using update = await fetching(request);
  expect(sums(await contents(update))).toEqual(sums(files));
  await using again = await fetching(request);
  // The list of packs and their tables, and nothing of their content.
  expect(again.transferred.bytes).toBeLessThan(2000);
});

test('without room nothing is fetched', async () => {
  await using there = await world();
  const place = await FetchPlace.open(there.place, digestOf(there.version));
  await expect(place.expectRoom(2 ** 60, 'web:2')).rejects.toMatchObject({ code: 'fetch-no-room' });
});

test('a limit of speed is kept, and an abort noticed', async () => {
  await using there = await world();
  const began = performance.now();
  await using _ = await fetching({ ...there.request, rate: 400_000 });
  expect(performance.now() - began).toBeGreaterThan(300);
  const abort = new AbortController();
  const request = { ...there.request, place: `${there.place}-2`, rate: 1000, task: Task.silent(abort.signal) };
  const slow = fetchUpdate(request);
  setTimeout(() => abort.abort(), 100);
  await expect(slow).rejects.toMatchObject({ name: 'AbortError' });
});

test('progress counts the bytes', async () => {
  await using there = await world();
  const events: TaskEvent[] = [];
  await using _ = await Task.run(
    'update',
    (event) => events.push(event),
    (task) => fetchUpdate({ ...there.request, task }),
  );
  const last = events.findLast(({ kind }) => kind === 'progress');
  expect(last).toMatchObject({ unit: 'bytes' });
  expect(last?.done).toBe(last?.total);
});

test('a version that another key signed, or nobody, is refused before anything of it is fetched', async () => {
  await using there = await world();
  const { publicKey } = createSigner(generateKeyPairSync('ed25519').privateKey);
  const guard = createGuard({ start: trustOfKey(publicKey), clock: systemClock });
  for (const [signer, code] of [
    [undefined, 'signature-missing'],
    [fixtureSigner, 'signature-wrong'],
  ] as const) {
    const kept = await DirectoryStore.open(there.kept.directory, signer === undefined ? {} : { signer });
    await commitFiles(kept, 'web', files);
    await using store = await HttpStore.open(there.server.url, { guard });
    const before = there.server.requests.length;
    await expect(store.resolve('web')).rejects.toMatchObject({ code });
    const asked = there.server.requests.slice(before);
    expect(asked.filter((path) => /^(packs|bundles|manifests)/.test(path))).toEqual([]);
  }
});
