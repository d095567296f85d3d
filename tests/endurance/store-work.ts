import { randomBytes, randomInt } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../../src/foundation/brand.ts';
import { rawPath } from '../../src/foundation/brand.ts';
import { Task } from '../../src/foundation/task.ts';
import type { DirectoryStore } from '../../src/store/directory-store.ts';
import { openStore } from '../../src/store/open-store.ts';
import { ReadingStore } from '../../src/store/reading-store.ts';
import { repairStore } from '../../src/store/repair-store.ts';
import { captureDirectory } from '../../src/tree/capture-directory.ts';
import { source } from '../contract/store-fixture.ts';

/** What is killed. Each is done over and over until then. */
export const kinds = ['capture', 'edit', 'tag', 'rm', 'gc', 'repair'] as const;
export type Kind = (typeof kinds)[number];

export interface Workshop {
  store: DirectoryStore;
  /** A directory to capture, which changes between captures. */
  tree: string;
  /** A copy of the store as it was whole, to repair from. */
  copy: string;
}

const silent = () => Task.silent();

/** Does one thing of a kind, once. */
export async function work(kind: Kind, { store, tree, copy }: Workshop): Promise<void> {
  if (kind === 'repair') {
    const other = await openStore(copy);
    if (other instanceof ReadingStore) await repairStore(store, { sources: [other] }, silent());
    return other.close();
  }
  const versions = await store.versions('web').catch(() => []);
  const some = versions[randomInt(Math.max(1, versions.length))];
  const reference = some === undefined ? 'web' : `web:${some.record.number}`;
  if (kind === 'capture' || kind === 'edit') {
    await changeTree(tree);
    await capture(store, tree, kind === 'edit');
    if (versions.length > 5) await store.remove(`web:${versions[0]?.record.number}`);
  } else if (kind === 'tag') {
    await store.setTag(reference, ['stable', 'tested'][randomInt(2)] ?? 'stable');
    if (randomInt(3) === 0) await store.removeTag('web', 'stable').catch(() => {});
  } else if (kind === 'rm') {
    if (versions.length < 3) await capture(store, tree, true);
    else await store.remove(versions.slice(0, 2).map(({ record }) => `web:${record.number}`));
  } else {
    await makeGarbage(store, tree);
    await store.collect({ grace: 0 }, silent());
  }
}

/** Makes a version of the tree, the way a capture does (`once`: the way an edit does, which keeps no hints). */
export async function capture(store: DirectoryStore, tree: string, once: boolean): Promise<number> {
  const before = (await store.versions('web').catch(() => [])).at(-1);
  await using transaction = await store.begin('capture', silent());
  const previous = before && !once ? { store, digest: before.record.digest as Digest } : undefined;
  const { manifest, stats } = await captureDirectory({
    directory: rawPath(tree),
    transaction,
    task: silent(),
    once,
    workers: 1,
    ...(previous && { previous }),
  });
  const version = await transaction.commit({
    image: 'web',
    digest: manifest.digest,
    manifestBytes: manifest.bytes,
    source,
    stats,
    excluded: [],
    scrubbed: [],
    warnings: [],
    tags: ['newest'],
  });
  return version.record.number;
}

/** Some files of the tree become others, grow, or go. */
export async function changeTree(tree: string): Promise<void> {
  await mkdir(join(tree, 'sub'), { recursive: true });
  for (let count = 0; count < 6; count += 1) {
    const path = join(tree, randomInt(2) === 0 ? 'sub' : '', `file${randomInt(40)}`);
    if (randomInt(5) === 0) await rm(path, { force: true });
    else await writeFile(path, randomBytes(randomInt(1, 30_000)));
  }
}

/** Packs of which a part, or nothing, is needed: versions whose files go one by one. */
async function makeGarbage(store: DirectoryStore, tree: string): Promise<void> {
  const versions = await store.versions('web').catch(() => []);
  if (versions.length > 4) return void (await store.remove(`web:${versions[0]?.record.number}`));
  await changeTree(tree);
  await capture(store, tree, true);
}
