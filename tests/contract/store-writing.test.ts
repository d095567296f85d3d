import { execFileSync, fork, spawnSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Digest } from '../../src/foundation/brand.ts';
import { Task } from '../../src/foundation/task.ts';
import { createSigner } from '../../src/image/signature.ts';
import { checkStore } from '../../src/store/check-store.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { ensureServerKey } from '../../src/store/keys.ts';
import { openWritableStore } from '../../src/store/open-store.ts';
import { verifyVersion } from '../../src/store/trust.ts';
import { addPack, commitFiles, knownSet, temporaryDirectory, treeOf } from './store-fixture.ts';

const page = Buffer.from('a page');

async function newStore(directory: string) {
  return DirectoryStore.open(directory, { create: true });
}

async function defects(store: DirectoryStore) {
  return Array.fromAsync(checkStore(store, Task.silent()));
}

test('a second writer is refused, with the name of the first', async () => {
  await using directory = await temporaryDirectory();
  const store = await newStore(directory.path);
  const other = await DirectoryStore.open(directory.path);
  {
    await using _first = await store.begin('capture of web', Task.silent());
    await expect(other.begin('another', Task.silent())).rejects.toMatchObject({
      code: 'store-locked',
      message: expect.stringContaining('capture of web'),
    });
    await expect(other.setTag('web:1', 'stable')).rejects.toMatchObject({ code: 'store-locked' });
  }
  await using _second = await other.begin('another', Task.silent());
});

test('a writer that is killed leaves no lock and nothing visible, and its packs are used again', async () => {
  await using directory = await temporaryDirectory();
  await newStore(directory.path);
  const child = startWriter(directory.path, 'pack');
  const chunk = await new Promise<string>((resolve) => child.once('message', (message) => resolve(String(message))));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;

  const store = await DirectoryStore.open(directory.path);
  expect(await store.versions()).toEqual([]);
  await using transaction = await store.begin('next', Task.silent());
  expect(knownSet(await transaction.knownChunks())).toEqual(new Set([chunk]));
  expect(await readdir(join(directory.path, 'tmp'))).toHaveLength(1);
});

test('a writer that is killed at any moment leaves every version whole', async () => {
  await using directory = await temporaryDirectory();
  const store = await newStore(directory.path);
  let done = 0;
  for (let round = 0; round < 8; round += 1) {
    const child = startWriter(directory.path, 'commit');
    const ended = new Promise((resolve) => child.once('exit', resolve));
    await new Promise<void>((resolve) => {
      child.on('message', (number) => {
        done = Number(number);
        setTimeout(resolve, 7 * round);
      });
    });
    child.kill('SIGKILL');
    await ended;
    // Only the index may be behind; what a finished commit said is there stays there.
    expect((await defects(store)).filter(({ kind }) => kind !== 'index')).toEqual([]);
    expect((await store.resolve('web')).record.number).toBeGreaterThanOrEqual(done);
  }
  await commitFiles(store, 'web', {});
  expect(await defects(store)).toEqual([]);
});

function startWriter(directory: string, work: string) {
  const stdio: ('ignore' | 'inherit' | 'ipc')[] = ['ignore', 'ignore', 'inherit', 'ipc'];
  return fork(new URL('./store-writer.ts', import.meta.url).pathname, [directory, work], {
    stdio,
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
}

test('what is not committed is not visible', async () => {
  await using directory = await temporaryDirectory();
  const store = await newStore(directory.path);
  {
    await using transaction = await store.begin('test', Task.silent());
    const { chunks } = await addPack(transaction, [page]);
    await transaction.writeManifest([treeOf({ page: chunks[0] as never })]);
  }
  expect(await store.versions()).toEqual([]);
  expect(await readdir(join(directory.path, 'tmp'))).toEqual([]);
  expect(await defects(store)).toEqual([]);
});

test('an aborted task commits nothing', async () => {
  await using directory = await temporaryDirectory();
  const store = await newStore(directory.path);
  const abort = new AbortController();
  await using transaction = await store.begin('test', Task.silent(abort.signal));
  abort.abort();
  await expect(transaction.writeManifest([treeOf({})])).rejects.toThrow('abort');
});

test('a manifest needs its chunks, in their lengths, and its entries in order', async () => {
  await using directory = await temporaryDirectory();
  const store = await newStore(directory.path);
  await using transaction = await store.begin('test', Task.silent());
  const { chunks } = await addPack(transaction, [page]);
  const chunk = chunks[0] as never as { hash: Uint8Array; length: number };
  for (const wrong of [
    { hash: randomBytes(32), length: 5 },
    { hash: chunk.hash, length: chunk.length - 1 },
  ])
    await expect(transaction.writeManifest([treeOf({ page: wrong })])).rejects.toMatchObject({ code: 'chunk-missing' });
  await expect(transaction.writeManifest([treeOf({ page: chunk }).toReversed()])).rejects.toThrow('root');
});

test('removing a version frees the packs that nothing else needs, and says so', async () => {
  await using directory = await temporaryDirectory();
  const store = await newStore(directory.path);
  const [shared, own, both] = [randomBytes(5000), randomBytes(70_000), randomBytes(3000)];
  await commitFiles(store, 'web', { shared, both }, ['old']);
  await commitFiles(store, 'web', { shared, own });
  expect(await store.packs()).toHaveLength(2);

  const second = await store.remove('web:2');
  expect(second.removed.map(({ record }) => record.number)).toEqual([2]);
  expect(second.packsDeleted).toBe(1);
  expect(second.bytesFreed).toBeGreaterThan(70_000);
  expect(second.bytesUnreferenced).toBe(0);
  expect(await defects(store)).toEqual([]);

  // Numbers do not come again, and what a kept pack holds for nobody is counted.
  expect((await commitFiles(store, 'web', { shared })).record.number).toBe(3);
  const first = await store.remove('web:old');
  expect(first).toMatchObject({ packsDeleted: 0, bytesFreed: 0 });
  expect(Math.abs(first.bytesUnreferenced - 3000)).toBeLessThan(100);
  expect(await store.packs()).toHaveLength(1);
  await expect(store.resolve('web:old')).rejects.toMatchObject({ code: 'image-not-found' });

  await store.remove('web:*');
  expect(await store.packs()).toEqual([]);
  expect(await store.versions()).toEqual([]);
  expect(await defects(store)).toEqual([]);
  expect((await commitFiles(store, 'web', { page })).record.number).toBe(4);
});

test('a version whose record is damaged or lost can be removed by its number', async () => {
  await using directory = await temporaryDirectory();
  const store = await newStore(directory.path);
  for (let version = 0; version < 3; version += 1)
    await commitFiles(store, 'web', { own: randomBytes(3000) }, ['newest']);
  await writeFile(join(directory.path, 'images/web/2.json'), 'nonsense');
  await rm(join(directory.path, 'images/web/3.json'));
  expect((await defects(store)).map(({ path }) => path)).toEqual(
    expect.arrayContaining(['images/web/2.json', 'images/web/3.json']),
  );
  await expect(store.remove('web:2')).rejects.toMatchObject({ code: 'corrupt-record' });
  // Nothing of them goes by itself, and their numbers are not used again.
  expect((await store.collect({ grace: 0 }, Task.silent())).packsDeleted).toBe(0);
  expect(await store.remove(['web:2', 'web:3'], { grace: 0, damaged: true })).toMatchObject({ packsDeleted: 2 });
  expect(await defects(store)).toEqual([]);
  expect((await store.versions()).map(({ record }) => record.number)).toEqual([1]);
  expect((await commitFiles(store, 'web', { page })).record.number).toBe(4);
  await expect(store.remove('web:9', { grace: 0, damaged: true })).rejects.toMatchObject({ code: 'image-not-found' });
});

test('two versions with one manifest can go one by one', async () => {
  await using directory = await temporaryDirectory();
  const store = await newStore(directory.path);
  await commitFiles(store, 'web', { page });
  await commitFiles(store, 'db', { page });
  expect((await store.remove('web:1')).packsDeleted).toBe(0);
  expect(await defects(store)).toEqual([]);
  expect((await store.remove('db')).packsDeleted).toBe(1);
});

test('tags move, and only where a version is', async () => {
  await using directory = await temporaryDirectory();
  const store = await newStore(directory.path);
  await commitFiles(store, 'web', { page }, ['stable']);
  await commitFiles(store, 'web', {});
  expect((await store.setTag('web:2', 'stable')).tags).toEqual(['stable']);
  expect((await store.resolve('web:stable')).record.number).toBe(2);
  for (const tag of ['latest', '3', 'v3', '../x', '', '.hidden'])
    await expect(store.setTag('web:1', tag)).rejects.toMatchObject({ code: 'input-invalid' });
  await store.removeTag('web', 'stable');
  await expect(store.resolve('web:stable')).rejects.toMatchObject({ code: 'image-not-found' });
  await expect(store.removeTag('web', 'stable')).rejects.toMatchObject({ code: 'image-not-found' });
  expect(await defects(store)).toEqual([]);
});

test('a version that was not signed can be signed later', async () => {
  await using directory = await temporaryDirectory();
  const unsigned = await newStore(join(directory.path, 'store'));
  await commitFiles(unsigned, 'web', { page });
  await expect(unsigned.sign('web:1')).rejects.toMatchObject({ code: 'usage' });
  const { signer } = await ensureServerKey(directory.path);
  const store = await openWritableStore(join(directory.path, 'store'), { signer });
  const version = await store.sign('web:1');
  expect(verifyVersion(version, [signer.publicKey])).toBe(signer.publicKey);
  const stranger = createSigner(generateKeyPairSync('ed25519').privateKey).publicKey;
  expect(() => verifyVersion(version, [stranger])).toThrow(expect.objectContaining({ code: 'signature-wrong' }));
  const forged = { ...version, recordText: version.recordText.replace('/golden', '/gilded') };
  expect(() => verifyVersion(forged, [signer.publicKey])).toThrow(expect.objectContaining({ code: 'signature-wrong' }));
  expect(await defects(unsigned)).toEqual([]);
});

test('the server key is made once', async () => {
  await using directory = await temporaryDirectory();
  const [first, second] = await Promise.all([ensureServerKey(directory.path), ensureServerKey(directory.path)]);
  expect(first.publicKeyText).toBe(second.publicKeyText);
  expect((await ensureServerKey(directory.path)).created).toBe(false);
  await writeFile(join(directory.path, 'keys/server.key'), 'nonsense');
  await expect(ensureServerKey(directory.path)).rejects.toMatchObject({ code: 'usage' });
});

test('hints come back, and damaged ones do not', async () => {
  await using directory = await temporaryDirectory();
  const store = await newStore(directory.path);
  const digest = (await commitFiles(store, 'web', { page })).record.digest as Digest;
  expect(await store.readHints(digest)).toBeUndefined();
  {
    await using transaction = await store.begin('test', Task.silent());
    await transaction.writeHints(digest, Buffer.from('inodes'));
  }
  expect(Buffer.from((await store.readHints(digest)) ?? []).toString()).toBe('inodes');
  await writeFile(join(directory.path, 'hints', `${digest.slice(7)}.hints`), 'x'.repeat(40));
  expect(await store.readHints(digest)).toBeUndefined();
});

test('a commit that breaks off at the index is complete, and the next one mends the index', async () => {
  await using directory = await temporaryDirectory();
  const store = await newStore(directory.path);
  await commitFiles(store, 'web', { page });
  await rm(join(directory.path, 'index.json'));
  expect((await store.resolve('web')).record.number).toBe(1);
  expect(await defects(store)).toMatchObject([{ kind: 'index', path: 'index.json' }]);
  await commitFiles(store, 'web', {});
  expect(await defects(store)).toEqual([]);
});

const canMount = process.getuid?.() === 0 && spawnSync('unshare', ['-m', 'true']).status === 0;

test.skipIf(!canMount)('a full disk and a read-only one are said so, and the store stays as it was', async () => {
  await using directory = await temporaryDirectory();
  const mountPoint = join(directory.path, 'small');
  await mkdir(mountPoint);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', mountPoint]);
  try {
    const store = await newStore(join(mountPoint, 'store'));
    await commitFiles(store, 'web', { page });
    await writeFile(join(mountPoint, 'filler'), Buffer.alloc(2 << 20)).catch(() => {});
    await expect(commitFiles(store, 'web', { a: Buffer.from('b') })).rejects.toMatchObject({
      code: expect.stringMatching(/disk-full|ENOSPC/),
    });
    await expect(store.setTag('web:1', 'stable')).rejects.toMatchObject({ code: 'disk-full' });
    expect(await defects(store)).toEqual([]);
    await rm(join(mountPoint, 'filler'));
    expect(await defects(store)).toEqual([]);
    expect((await store.versions()).length).toBe(1);
    expect((await commitFiles(store, 'web', { a: Buffer.from('b') })).record.number).toBe(2);

    // Just when the disk is full one must be able to remove something.
    await writeFile(join(mountPoint, 'filler'), Buffer.alloc(2 << 20)).catch(() => {});
    expect(await store.remove('web:1')).toMatchObject({ packsDeleted: 1 });
    expect(await defects(store)).toEqual([]);

    execFileSync('mount', ['-o', 'remount,ro', mountPoint]);
    await expect(store.begin('test', Task.silent())).rejects.toMatchObject({ code: 'read-only' });
    await expect(store.remove('web:2')).rejects.toMatchObject({ code: 'read-only' });
    expect((await store.resolve('web')).record.number).toBe(2);
    expect(await defects(store)).toEqual([]);
  } finally {
    execFileSync('umount', ['--lazy', mountPoint]);
  }
  expect(existsSync(join(mountPoint, 'store'))).toBe(false);
});
