import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { Digest } from '../../src/foundation/brand.ts';
import { Task } from '../../src/foundation/task.ts';
import { formatPublicKey, parsePublicKey } from '../../src/image/signature.ts';
import { checkStore } from '../../src/store/check-store.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { openStore } from '../../src/store/open-store.ts';
import { verifyVersion } from '../../src/store/trust.ts';
import { fixtureContents, fixtureEntries, fixtureSigner } from './image-format-tree.ts';
import { addPack } from './store-fixture.ts';
import { readAsAStranger } from './stranger.ts';

const fixture = fileURLToPath(new URL('../fixtures/image-format/', import.meta.url));
const storeDirectory = join(fixture, 'store');

test.runIf(process.env.IMPRINT_MAKE_FIXTURE)('the test vectors are made', async () => {
  await rm(storeDirectory, { recursive: true, force: true });
  const store = await DirectoryStore.open(storeDirectory, { create: true, signer: fixtureSigner });
  {
    await using transaction = await store.begin('test vectors', Task.silent());
    await addPack(transaction, Object.values(fixtureContents));
    const { digest, bytes } = await transaction.writeManifest([fixtureEntries]);
    const stats = {
      entries: fixtureEntries.length,
      files: 7,
      logicalBytes: 0,
      contentBytes: 0,
      newChunks: 3,
      newBytes: 0,
    };
    await transaction.commit({
      image: 'web',
      digest,
      manifestBytes: bytes,
      created: '2026-01-02T03:04:05.678Z',
      message: 'Test vectors: “every kind”',
      source: { location: '/golden', bootMode: 'unknown', disks: [], fileSystems: [] },
      stats,
      excluded: ['proc'],
      scrubbed: [],
      warnings: [],
      tags: ['stable'],
    });
  }
  const publicKey = formatPublicKey(fixtureSigner.publicKey);
  await writeFile(join(fixture, 'server.pub'), publicKey);
  const listing = readAsAStranger(storeDirectory, 'web', 1, publicKey);
  await writeFile(join(fixture, 'listing.json'), `${JSON.stringify(listing, undefined, 1)}\n`);
  for (const name of ['lock', 'tmp']) await rm(join(storeDirectory, name), { recursive: true, force: true });
});

test('the test vectors are read as they were written', async () => {
  const store = await openStore(storeDirectory);
  const version = await store.resolve('web:stable');
  expect(verifyVersion(version, [parsePublicKey(await readFile(join(fixture, 'server.pub'), 'utf8'))])).toBeDefined();
  const entries = (await Array.fromAsync(store.entries(version.record.digest as Digest))).flat();
  expect(plain(entries)).toEqual(plain(fixtureEntries));
  const publicKeys = [fixtureSigner.publicKey];
  expect(await Array.fromAsync(checkStore(store, Task.silent(), { publicKeys }))).toEqual([]);
});

test('a reader written from the specification alone finds the same', async () => {
  const publicKey = await readFile(join(fixture, 'server.pub'), 'utf8');
  const listing = JSON.parse(await readFile(join(fixture, 'listing.json'), 'utf8'));
  expect(readAsAStranger(storeDirectory, 'web', 1, publicKey)).toEqual(listing);
  expect(
    listing.entries.map(({ path = '' }: { path?: string }) => Buffer.from(path, 'hex').toString('latin1')),
  ).toEqual(fixtureEntries.map(({ path }) => path));
});

function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, part) =>
      part?.type === 'Buffer' || part instanceof Uint8Array ? Buffer.from(part.data ?? part).toString('hex') : part,
    ),
  );
}
