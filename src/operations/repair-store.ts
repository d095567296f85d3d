import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type RawPath, rawPath } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import { DirectoryStore } from '../store/directory-store.ts';
import { storeFile } from '../store/layout.ts';
import { openStore, requireWritable } from '../store/open-store.ts';
import { ReadingStore } from '../store/reading-store.ts';
import type { RepairSource } from '../store/repair-content.ts';
import { repairStore } from '../store/repair-store.ts';
import { captureDirectory } from '../tree/capture-directory.ts';
import { everyReleaseKey, type StoreCheck } from './check-store.ts';
import type { Context } from './context.ts';

/**
 * Checks the store and puts right what can be, from what it still holds and from other places. The result is that of the check afterwards,
 * with what was put right. Errors: those of `storeCheck`, and those of opening the places.
 */
export async function repairWholeStore(context: Context, from: readonly string[], task: Task): Promise<StoreCheck> {
  const { storeLocation } = context;
  requireWritable(storeLocation);
  const store = await DirectoryStore.open(storeLocation, { mend: true });
  const sources: RepairSource[] = [];
  try {
    for (const place of from) sources.push(await openSource(place, storeLocation));
    const captureAgain = async (directory: string) => {
      await using transaction = await store.begin('repair', task);
      const root: RawPath = rawPath(Buffer.from(directory).toString('latin1'));
      await task.part(`read ${directory}`, (part) =>
        captureDirectory({ directory: root, transaction, task: part, once: true }),
      );
    };
    const publicKeys = await everyReleaseKey(context, store);
    const report = await repairStore(store, { sources, publicKeys, captureAgain }, task);
    const versions = await store.versions().catch(() => []);
    return { store: store.location, versions: versions.length, defects: report.after, repaired: report.repaired };
  } finally {
    for (const source of sources) if (source instanceof ReadingStore) await source.close();
    await store.close();
  }
}

async function openSource(place: string, own: string): Promise<RepairSource> {
  if (/^https?:/i.test(place) || existsSync(join(place, storeFile))) {
    if (resolve(place) === resolve(own))
      throw new ImprintError('input-invalid', { field: 'from', problem: `${place} is the store itself` });
    const store = await openStore(place);
    if (store instanceof ReadingStore) return store;
  }
  if (!statSync(place, { throwIfNoEntry: false })?.isDirectory())
    throw new ImprintError('directory-not-found', { directory: place });
  return { directory: resolve(place) };
}
