import type { Digest } from '../foundation/brand.ts';
import { type ChunkUses, formatUses } from './chunk-uses.ts';
import type { DirectoryStore } from './directory-store.ts';
import { writeFilesDurably } from './durable.ts';
import { packListPath, usesPath } from './layout.ts';
import { formatPackList, type PackListLine } from './pack-list.ts';
import { readPackList, readPackTable } from './pack-tables.ts';

/**
 * Writes what a manifest needs: its use file, and the list of packs that readers go by. Packs whose table cannot be read
 * are left out of the list. Where a pack leaves, its mark must name this version before (docs/store.md).
 */
export async function writeUses(
  store: DirectoryStore,
  digest: Digest,
  uses: ChunkUses,
  temporary: string,
): Promise<void> {
  const known = new Map((await readPackList(store.files, digest))?.map((line) => [line.pack, line]));
  const lines: PackListLine[] = [];
  for (const pack of uses.packs.keys()) {
    const line = known.get(pack) ?? (await lineOf(store, pack));
    if (line !== undefined) lines.push(line);
  }
  // The list first: a use file that is up to date says that the list is so, too, and nobody would write it again before packs go.
  const list = { path: store.path(packListPath(digest)), content: formatPackList(lines) };
  const record = { path: store.path(usesPath(digest)), content: formatUses(digest, uses) };
  for (const file of [list, record]) await writeFilesDurably([file], temporary);
}

async function lineOf(store: DirectoryStore, pack: string): Promise<PackListLine | undefined> {
  const result = await readPackTable(store.files, { pack });
  if ('error' in result) return undefined;
  return { pack, tableOffset: result.table.tableOffset, packLength: result.table.packLength };
}
