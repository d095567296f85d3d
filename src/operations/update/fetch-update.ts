import { readFile } from 'node:fs/promises';
import type { Digest } from '../../foundation/brand.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { contentOfManifest, entriesOfManifest } from '../../store/manifest-reader.ts';
import type { ChunkLocation, Store, StoredVersion } from '../../store/store.ts';
import { FetchPlace } from './fetch-place.ts';
import { FetchedContent } from './fetched-content.ts';
import { FetchedPacks } from './fetched-packs.ts';
import { LocalChunks } from './local-chunks.ts';
import { Pacer } from './pacer.ts';
import type { LocalBase, UpdateContent } from './update-content.ts';

export interface FetchRequest {
  store: Store;
  /** As `Store.resolve` gave it: its signatures were checked then. */
  version: StoredVersion;
  /** What this machine has already. */
  base?: LocalBase;
  /** Directory for what is fetched; what an earlier try left there for the same version is used. */
  place: string;
  /** Bytes per second, at most. */
  rate?: number;
  task: Task;
}

/**
 * Fetches what this machine lacks of a version, so that it can be applied without the store: only what is missing, carrying on where an earlier
 * try ended. What is not as the base's manifest says, by size and time, counts as missing. Errors: `fetch-no-room` before anything is
 * fetched, `store-unreachable`, `corrupt-pack`, `corrupt-manifest`, `chunk-missing`, `disk-full`, `interrupted`.
 */
export async function fetchUpdate(request: FetchRequest): Promise<UpdateContent> {
  const { store, version, base, task } = request;
  const digest = version.record.digest as Digest;
  const reference = `${version.record.image}:${version.record.number}`;
  const before = { ...store.traffic };
  const pacer = new Pacer(request.rate, task.signal);
  await using _lease = await store.lease(digest);
  const place = await FetchPlace.open(request.place, digest);
  const local = base === undefined ? undefined : await LocalChunks.read(base, task.signal);
  try {
    const manifest = await fetchManifest(store, digest, place);
    const packs = await FetchedPacks.open(place.path('packs'));
    const places = await locateMissing(store, digest, manifest, local, task.signal);
    const ranges = packs.missing(places.values());
    const bytes = ranges.reduce((sum, { from, to }) => sum + to - from, 0);
    await place.expectRoom(bytes, reference);
    task.expect(bytes, 'bytes');
    for (const range of ranges)
      await packs.fetch(store, range, async (length) => {
        task.advance(length);
        await pacer.pass(length);
      });
    const passed = (length: number) => pacer.pass(length);
    const sources = { store, packs, places, passed, ...(local === undefined ? {} : { local }) };
    return new FetchedContent(version, place.path('manifest'), sources, before);
  } catch (error) {
    local?.close();
    throw error;
  }
}

/** The manifest's file, in the place, from before or from the store. */
async function fetchManifest(store: Store, digest: Digest, place: FetchPlace): Promise<Buffer> {
  const path = place.path('manifest');
  try {
    const file = await readFile(path);
    await contentOfManifest(file, digest, path);
    return file;
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    if (!missing && !(error instanceof ImprintError && error.code === 'corrupt-manifest')) throw error;
  }
  const file = await store.manifestFile(digest);
  await place.expectRoom(file.length, digest);
  await place.write('manifest', file);
  return file;
}

/** Where all chunks lie that are not on this machine. */
async function locateMissing(
  store: Store,
  digest: Digest,
  manifest: Buffer,
  local: LocalChunks | undefined,
  signal: AbortSignal,
): Promise<Map<string, ChunkLocation>> {
  const missing = new Set<string>();
  for await (const batch of entriesOfManifest(manifest, digest, 'manifest')) {
    signal.throwIfAborted();
    for (const { chunks } of batch)
      for (const { hash } of chunks ?? [])
        if (local?.seemsThere(hash) !== true) missing.add(Buffer.from(hash).toString('hex'));
  }
  return missing.size === 0 ? new Map() : store.locate(missing, digest);
}
