import { truncate } from 'node:fs/promises';
import type { Digest } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import { parseReference } from '../image/reference.ts';
import { ChunkIndex } from './chunk-index.ts';
import type { DirectoryStore } from './directory-store.ts';
import { removeDurably, renameDurably, syncDirectory, writing } from './durable.ts';
import {
  damagedMarkPath,
  hintsPath,
  manifestPath,
  packListPath,
  packPath,
  recordPath,
  signaturePath,
  tagPath,
  tombstonePath,
} from './layout.ts';
import { readPackList, readPackTable } from './pack-tables.ts';
import type { StoredVersion } from './store.ts';
import type { RemovalReport } from './transaction.ts';

/**
 * Removes versions, under the lock: the record goes first, so that at every instant a version is there whole or not at all.
 * Then its manifest, if no other version has the same, and those of its packs that no other version needs. Where that
 * cannot be told (another manifest is damaged) all packs stay.
 */
export async function removeVersions(store: DirectoryStore, reference: string): Promise<RemovalReport> {
  const removed = await chosen(store, reference);
  const digests = new Set(removed.map(({ record }) => record.digest as Digest));
  for (const version of removed) await removeVersion(store, version);
  const report = await removeContent(store, digests);
  // Last, for on a full disk there is room for it only now.
  await store.writeIndex();
  return { removed, ...report };
}

async function removeContent(
  store: DirectoryStore,
  digests: ReadonlySet<Digest>,
): Promise<Omit<RemovalReport, 'removed'>> {
  const rest = await remainingDigests(store);
  if (rest === undefined) return { packsDeleted: 0, bytesFreed: 0, bytesUnreferenced: 0 };
  const gone = [...digests].filter((digest) => !rest.has(digest));
  const report = await removePacks(store, gone, rest);
  for (const digest of gone)
    await removeDurably(...[manifestPath(digest), packListPath(digest)].map((path) => store.path(path)));
  for (const digest of gone) await removeDurably(store.path(hintsPath(digest)));
  return report;
}

async function chosen(store: DirectoryStore, reference: string): Promise<StoredVersion[]> {
  const image = /^([^:@]+):\*$/.exec(reference)?.[1];
  if (image !== undefined && parseReference(image).kind === 'newest') return store.versions(image);
  return [await store.find(reference)];
}

async function removeVersion(store: DirectoryStore, { record, tags }: StoredVersion): Promise<void> {
  const { image, number } = record;
  for (const tag of tags) await removeDurably(store.path(tagPath(image, tag)));
  // The record becomes the mark that its number was used: one rename, which needs no room on the disk.
  const mark = store.path(tombstonePath(image, number));
  await renameDurably(store.path(recordPath(image, number)), mark);
  await writing(mark, () => truncate(mark));
  await removeDurably(store.path(signaturePath(image, number)));
}

/** Digests of all versions that are left; undefined where a record cannot be read. */
async function remainingDigests(store: DirectoryStore): Promise<Set<Digest> | undefined> {
  try {
    return new Set((await store.versions()).map(({ record }) => record.digest as Digest));
  } catch (error) {
    if (error instanceof ImprintError && error.code === 'corrupt-record') return undefined;
    throw error;
  }
}

async function removePacks(store: DirectoryStore, gone: readonly Digest[], rest: ReadonlySet<Digest>) {
  const nothing = { packsDeleted: 0, bytesFreed: 0, bytesUnreferenced: 0 };
  const candidates = new ChunkIndex();
  const names: string[] = [];
  for (const digest of gone) {
    for (const line of (await readPackList(store.files, digest)) ?? []) {
      const result = candidates.has(line.pack) ? undefined : await readPackTable(store.files, line);
      if (result === undefined || 'error' in result) continue;
      candidates.add(line.pack, result.table);
      names.push(line.pack);
    }
  }
  const used = names.map((_, pack) => new Uint8Array(candidates.pack(pack).table.chunks));
  const needed = await markUsed(store, candidates, used, rest);
  if (needed === undefined) return nothing;
  const report = { ...nothing };
  for (const [pack, name] of names.entries()) {
    const { table } = candidates.pack(pack);
    if (!needed.has(name) && !used[pack]?.includes(1)) {
      await removeDurably(store.path(packPath(name)), store.path(damagedMarkPath(name)));
      report.packsDeleted += 1;
      report.bytesFreed += table.packLength;
    } else {
      for (let chunk = 0; chunk < table.chunks; chunk += 1)
        if (used[pack]?.[chunk] === 0) report.bytesUnreferenced += storedLength(table, chunk);
    }
  }
  if (report.packsDeleted > 0) await syncDirectory(store.path('packs'));
  return report;
}

/**
 * Marks the chunks that other versions need; gives the packs that their lists name. Manifests are read, not only lists, so
 * that a list that was damaged costs nobody a pack. Undefined where a manifest cannot be read.
 */
async function markUsed(
  store: DirectoryStore,
  candidates: ChunkIndex,
  used: readonly Uint8Array[],
  rest: ReadonlySet<Digest>,
): Promise<Set<string> | undefined> {
  const needed = new Set<string>();
  try {
    for (const digest of rest) {
      for (const { pack } of (await readPackList(store.files, digest)) ?? []) needed.add(pack);
      for await (const batch of store.entries(digest)) {
        for (const { chunks } of batch) {
          for (const { hash } of chunks ?? []) {
            const place = candidates.find(hash);
            const marks = place && used[place.pack];
            if (place && marks) marks[place.chunk] = 1;
          }
        }
      }
    }
    return needed;
  } catch (error) {
    if (error instanceof ImprintError && error.code === 'corrupt-manifest') return undefined;
    throw error;
  }
}

/** A chunk's share of its compressed frame. */
function storedLength(table: ReturnType<ChunkIndex['pack']>['table'], chunk: number): number {
  const frame = table.chunkFrame[chunk] as number;
  const share = (table.chunkLength[chunk] as number) / (table.frameContentLength[frame] as number);
  return Math.round((table.frameLength[frame] as number) * share);
}
