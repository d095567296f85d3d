import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { cp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { Digest } from '../../src/foundation/brand.ts';
import { Task } from '../../src/foundation/task.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { bundlePath } from '../../src/store/layout.ts';
import { makeBundle } from '../../src/tree/make-bundle.ts';
import { readBundleAsAStranger } from './bundle-stranger.ts';
import { commitFiles, temporaryDirectory } from './store-fixture.ts';

const fixture = fileURLToPath(new URL('../fixtures/image-format/bundle/', import.meta.url));

/** Bytes that are the same at every run and compress badly. */
function noise(name: string, length: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < length; at += 32) parts.push(createHash('sha256').update(`${name} ${at}`).digest());
  return Buffer.concat(parts).subarray(0, length);
}

const edited = (content: Buffer, text: string) =>
  Buffer.concat([content.subarray(0, 700), Buffer.from(text), content.subarray(900)]);
const library = noise('library', 6000);
const program = noise('program', 5000);
const before = { 'liby-1.2.so': library, motd: Buffer.from('old'), program, same: noise('same', 500) };
const after = {
  'liby-1.3.so': edited(library, 'moved with its version'),
  motd: Buffer.from('new'),
  'new file': noise('new', 300),
  program: edited(program, 'changed in place'),
  same: before.same,
};

test.runIf(process.env.IMPRINT_MAKE_FIXTURE)('the test vector is made', async () => {
  await using directory = await temporaryDirectory();
  const store = await DirectoryStore.open(join(directory.path, 'store'), { create: true });
  const [old, added] = [await commitFiles(store, 'web', before), await commitFiles(store, 'web', after)];
  const digests = [old.record.digest as Digest, added.record.digest as Digest] as const;
  await makeBundle(store, ...digests, { task: Task.silent(), threads: 1 });
  for (const name of ['lock', 'tmp', 'bundles/lock'])
    await rm(join(store.directory, name), { recursive: true, force: true });
  await rm(fixture, { recursive: true, force: true });
  await cp(store.directory, join(fixture, 'store'), { recursive: true });
});

test('a reader written from the specification alone makes the new version from the old one and the bundle', async () => {
  const [name = ''] = readdirSync(join(fixture, 'store/bundles'));
  const bundle = readFileSync(join(fixture, 'store/bundles', name));
  expect(bundle.length).toBeLessThan(2000);
  const { chunks } = readBundleAsAStranger(join(fixture, 'store'), bundle);
  const sums = (contents: Iterable<Buffer>) =>
    Array.from(contents, (bytes) => createHash('sha256').update(bytes).digest('hex'));
  const { same: _, ...changed } = after;
  expect(new Set(sums(chunks.values()))).toEqual(new Set(sums(Object.values(changed))));
});

test('what is written now reads as the test vector does', async () => {
  await using directory = await temporaryDirectory();
  const copy = join(directory.path, 'store');
  await cp(join(fixture, 'store'), copy, { recursive: true });
  const store = await DirectoryStore.open(copy);
  const [from, to] = (await store.versions('web')).map(({ record }) => record.digest as Digest);
  if (from === undefined || to === undefined) throw new Error('the test vector has two versions');
  const kept = readBundleAsAStranger(copy, await readFile(store.path(bundlePath(from, to))));
  await makeBundle(store, from, to, { task: Task.silent(), threads: 1 });
  const made = readBundleAsAStranger(copy, await readFile(store.path(bundlePath(from, to))));
  expect([...made.chunks.keys()]).toEqual([...kept.chunks.keys()]);
  expect(made.manifest.equals(kept.manifest)).toBe(true);
});
