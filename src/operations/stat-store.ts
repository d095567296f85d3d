import { statfs } from 'node:fs/promises';
import type { z } from 'zod';
import type { storeStat } from '../contract/operations/store.ts';
import type { Digest } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import { DirectoryStore } from '../store/directory-store.ts';
import { manifestPath } from '../store/layout.ts';
import { measureUsage } from '../store/store-usage.ts';
import type { Context } from './context.ts';

/** What a store in a directory holds and takes, and what each version adds to the older ones. */
export async function statStore(context: Context, task: Task): Promise<z.output<typeof storeStat.output>> {
  const store = await context.store();
  const { location } = store;
  if (!(store instanceof DirectoryStore)) {
    const hint = 'Ask where the store is: imprint store stat --store DIR';
    throw new ImprintError('usage', {
      problem: `${location} is behind HTTP; its files cannot be counted from here.`,
      hint,
    });
  }
  const versions = (await store.versions()).toSorted(
    ({ record: left }, { record: right }) => Date.parse(left.created) - Date.parse(right.created),
  );
  const digests = versions.map(({ record }) => record.digest as Digest);
  const [usage, space] = await Promise.all([measureUsage(store, digests, task), statfs(location)]);
  const manifests = await Promise.all(
    [...new Set(digests)].map(async (digest) => (await store.files.length(manifestPath(digest))) ?? 0),
  );
  return {
    location,
    images: new Set(versions.map(({ record }) => record.image)).size,
    versions: versions.length,
    contentBytes: versions.reduce((sum, { record }) => sum + record.stats.contentBytes, 0),
    uniqueBytes: usage.uniqueBytes,
    storedBytes: usage.storedBytes,
    packs: usage.packs,
    packBytes: usage.packBytes,
    manifestBytes: manifests.reduce((sum, bytes) => sum + bytes, 0),
    unneededBytes: Math.max(0, usage.packBytes - usage.storedBytes),
    freeBytes: space.bavail * space.bsize,
    perVersion: versions.map(({ record }, index) => {
      const share = usage.shares[index];
      return {
        reference: `${record.image}:${record.number}`,
        created: record.created,
        contentBytes: record.stats.contentBytes,
        addedBytes: share?.addedBytes ?? 0,
        addedStoredBytes: share?.addedStoredBytes ?? 0,
        ownStoredBytes: share?.ownStoredBytes ?? 0,
      };
    }),
  };
}
