import type { Digest } from '../foundation/brand.ts';
import { FormatError } from '../image/format-error.ts';
import { parseManifestFile } from '../image/manifest-file.ts';
import { parseUses } from './chunk-uses.ts';
import type { DirectoryStore } from './directory-store.ts';
import { manifestPath, packPath, usesPath } from './layout.ts';
import { readPackList, readPackTable } from './pack-tables.ts';

const limit = 2 ** 30;

/**
 * The packs of a manifest that a new version may name as it is: the manifest's file, its list of packs and its uses are whole, and every pack is
 * there, of its length, with a good table, not known to be damaged. Undefined where anything is amiss: then it must be written again.
 */
export async function packsOfKeptManifest(store: DirectoryStore, digest: Digest): Promise<Set<string> | undefined> {
  const list = await readPackList(store.files, digest);
  if (list === undefined || !(await isWhole(store, digest, new Set(list.map(({ pack }) => pack))))) return undefined;
  const damaged = await store.damagedPacks();
  for (const { pack, packLength } of list)
    if (damaged.has(pack) || (await store.files.length(packPath(pack))) !== packLength) return undefined;
  for (const line of list) if ('error' in (await readPackTable(store.files, line))) return undefined;
  return new Set(list.map(({ pack }) => pack));
}

/** Whether there is a manifest file of this digest of which every stored byte is right. */
export async function hasWholeManifest(store: DirectoryStore, digest: Digest): Promise<boolean> {
  try {
    const manifest = await store.files.read(manifestPath(digest), limit);
    return manifest !== undefined && parseManifestFile(manifest).digest === digest;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}

async function isWhole(store: DirectoryStore, digest: Digest, packs: ReadonlySet<string>): Promise<boolean> {
  try {
    const [manifest, uses] = await Promise.all([
      store.files.read(manifestPath(digest), limit),
      store.files.read(usesPath(digest), limit),
    ]);
    if (manifest === undefined || uses === undefined || parseManifestFile(manifest).digest !== digest) return false;
    return parseUses(digest, uses)
      .packs.keys()
      .every((pack) => packs.has(pack));
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}
