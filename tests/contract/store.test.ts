import { generateKeyPairSync, hash, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createSigner } from '../../src/image/signature.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { Store } from '../../src/store/store.ts';
import { verifyVersion } from '../../src/store/trust.ts';
import { decompress } from '../../src/store/zstd.ts';
import { commitFiles, serveDirectory, temporaryDirectory } from './store-fixture.ts';

/** What every kind of store promises to its readers; each backend opens the same directory in its own way. */
const backends: { name: string; open(directory: string): Promise<{ store: Store } & AsyncDisposable> }[] = [
  {
    name: 'a directory',
    open: async (directory) => {
      const store = await openStore(directory);
      return { store, [Symbol.asyncDispose]: () => store.close() };
    },
  },
  { name: 'HTTP with ranges', open: (directory) => openOverHttp(directory, true) },
  { name: 'HTTP without ranges', open: (directory) => openOverHttp(directory, false) },
];

async function openOverHttp(directory: string, ranges: boolean) {
  const server = await serveDirectory(directory, undefined, { ranges });
  const store = await openStore(server.url);
  return {
    store,
    [Symbol.asyncDispose]: async () => {
      await store.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

const page = Buffer.from('a page\n'.repeat(100));
const noise = randomBytes(3 << 20);

describe.each(backends)('a store behind $name', ({ open }) => {
  test('gives back what was committed, whichever way it is named', async () => {
    await using directory = await temporaryDirectory();
    const signer = createSigner(generateKeyPairSync('ed25519').privateKey);
    const writer = await DirectoryStore.open(directory.path, { create: true, signer });
    const first = await commitFiles(writer, 'web', { page }, ['stable']);
    const second = await commitFiles(writer, 'web', { page, noise });
    await commitFiles(writer, 'db', { noise });

    await using opened = await open(directory.path);
    const { store } = opened;
    expect((await store.versions()).map(({ record }) => `${record.image}:${record.number}`)).toEqual([
      'db:1',
      'web:1',
      'web:2',
    ]);
    expect((await store.versions('web')).map(({ tags }) => tags)).toEqual([['stable'], []]);
    expect((await store.resolve('web')).record).toEqual(second.record);
    for (const reference of ['web:1', 'web:v1', 'web:stable', `web@${first.record.digest}`, first.record.digest])
      expect((await store.resolve(reference)).record).toEqual(first.record);
    expect(verifyVersion(await store.resolve('web'), [signer.publicKey])).toBe(signer.publicKey);

    const entries = (await Array.fromAsync(store.entries((await store.resolve('web')).record.digest as never))).flat();
    expect(entries.map((entry) => entry.path)).toEqual(['', 'noise', 'page']);
    expect((await readFile(store, noise)).equals(noise)).toBe(true);
    expect((await readFile(store, page)).equals(page)).toBe(true);
  });

  test('says what it does not have', async () => {
    await using directory = await temporaryDirectory();
    const writer = await DirectoryStore.open(directory.path, { create: true });
    const version = await commitFiles(writer, 'web', { page });
    await using opened = await open(directory.path);
    const { store } = opened;
    for (const reference of ['db', 'web:2', 'web:nothing', `db@${version.record.digest}`, `sha256:${'0'.repeat(64)}`])
      await expect(store.resolve(reference)).rejects.toMatchObject({ code: 'image-not-found' });
    await expect(store.versions('db')).rejects.toMatchObject({ code: 'image-not-found' });
    for (const reference of ['', 'Web', '../web', 'web:', 'web:-', 'web@sha256:12', 'web:1:2', 'web:0'])
      await expect(store.resolve(reference)).rejects.toMatchObject({ code: 'input-invalid' });
    await expect(store.locate(['0'.repeat(64)])).rejects.toMatchObject({ code: 'chunk-missing' });
    await expect(store.readPack('0'.repeat(64), 0, 1)).rejects.toMatchObject({ code: 'corrupt-pack' });
    await expect(Array.fromAsync(store.entries(`sha256:${'0'.repeat(64)}` as never))).rejects.toMatchObject({
      code: 'image-not-found',
    });
    expect(() => verifyVersion(version, [])).toThrow(expect.objectContaining({ code: 'signature-missing' }));
  });

  test('sees what was committed after it was opened', async () => {
    await using directory = await temporaryDirectory();
    const writer = await DirectoryStore.open(directory.path, { create: true });
    await commitFiles(writer, 'web', { page });
    await using opened = await open(directory.path);
    expect((await readFile(opened.store, page)).equals(page)).toBe(true);
    await commitFiles(writer, 'web', { noise });
    expect((await opened.store.resolve('web')).record.number).toBe(2);
    expect((await readFile(opened.store, noise)).equals(noise)).toBe(true);
  });
});

/** Reads content by its hash, as a restore does. */
async function readFile(store: Store, content: Buffer): Promise<Buffer> {
  const name = hash('sha256', content, 'hex');
  const place = (await store.locate([name])).get(name);
  if (place === undefined) throw new Error('not located');
  const frame = await store.readPack(place.pack, place.frameOffset, place.frameLength);
  return decompress(frame, place.frameContentLength).subarray(place.offset, place.offset + place.length);
}
