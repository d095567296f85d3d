import { readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import type { storeStat } from '../contract/operations/store.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Context } from './context.ts';

/** What a store in a directory holds and takes. */
export async function statStore(context: Context): Promise<z.output<typeof storeStat.output>> {
  const store = await context.store();
  const { location } = store;
  if (/^https?:/i.test(location)) {
    const hint = 'Ask where the store is: imprint store stat --store DIR';
    throw new ImprintError('usage', {
      problem: `${location} is behind HTTP; its files cannot be counted from here.`,
      hint,
    });
  }
  const versions = await store.versions();
  const [packs, manifests, space] = await Promise.all([
    measure(join(location, 'packs')),
    measure(join(location, 'manifests')),
    statfs(location),
  ]);
  return {
    location,
    images: new Set(versions.map(({ record }) => record.image)).size,
    versions: versions.length,
    contentBytes: versions.reduce((sum, { record }) => sum + record.stats.contentBytes, 0),
    packs: packs.files,
    packBytes: packs.bytes,
    manifestBytes: manifests.bytes,
    freeBytes: space.bavail * space.bsize,
  };
}

async function measure(directory: string): Promise<{ files: number; bytes: number }> {
  const total = { files: 0, bytes: 0 };
  const entries = await readdir(directory, { withFileTypes: true, recursive: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    },
  );
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    total.files += 1;
    total.bytes += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return total;
}
