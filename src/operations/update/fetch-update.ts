import { readFile, rm } from 'node:fs/promises';
import type { Digest } from '../../foundation/brand.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { FormatError } from '../../image/format-error.ts';
import { ManifestFileWriter } from '../../image/manifest-file.ts';
import { VerifiedManifest } from '../../store/manifest-reader.ts';
import type { ChunkLocation, Store, StoredVersion } from '../../store/store.ts';
import { compress } from '../../store/zstd.ts';
import type { BundleFile, WantedChunk } from './bundle-file.ts';
import { fetchBundle } from './fetch-bundle.ts';
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
  /** Milliseconds for which a server may make a bundle before its packs are read instead; default: ten minutes. 0: no bundle is asked for. */
  patience?: number;
  task: Task;
}

const defaultPatience = 600_000;
/** A bundle that is longer than all content by more than this is none. */
const bundleSlack = 64 << 20;

/**
 * Fetches what this machine lacks of a version, so that it can be applied without the store: the bundle that leads to it from the base, else ranges of
 * packs; carrying on where an earlier try ended. What is not as the base's manifest says, by size and time, counts as missing. Errors: `fetch-no-room` before
 * anything is fetched, `store-unreachable`, `corrupt-pack`, `corrupt-manifest`, `chunk-missing`, `disk-full`, `interrupted`.
 */
export async function fetchUpdate(request: FetchRequest): Promise<UpdateContent> {
  const { store, version, base, task } = request;
  const digest = version.record.digest as Digest;
  const reference = `${version.record.image}:${version.record.number}`;
  const traffic = { ...store.traffic };
  const pacer = new Pacer(request.rate, task.signal);
  const passed = (length: number) => pacer.pass(length);
  await using _lease = await store.lease(digest);
  const place = await FetchPlace.open(request.place, digest);
  await using stack = new AsyncDisposableStack();
  const before = base === undefined ? undefined : await readBase(base);
  const local = base && before && (await LocalChunks.read(base.root, before, task.signal));
  stack.defer(() => local?.close());
  const patience = request.patience ?? defaultPatience;
  let bundle: BundleFile | undefined;
  if (base !== undefined && base.digest !== digest && patience > 0) {
    const longest = version.record.stats.contentBytes + bundleSlack;
    const { digest: from } = base;
    bundle = await fetchBundle({ store, from, to: digest, reference, place, longest, patience, passed, task });
    if (bundle !== undefined) stack.use(bundle);
  }
  let manifest: VerifiedManifest;
  let lack: Lack;
  try {
    manifest = await manifestOf(request, place, before, bundle);
    lack = await findLack(manifest, local, task.signal);
    bundle?.expect(lack.added);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    task.warn(`The bundle of ${store.location} is of no use: ${error.message}. Content is fetched from packs.`);
    await rm(place.path('bundle'), { force: true });
    bundle = undefined;
    manifest = await manifestOf(request, place);
    lack = await findLack(manifest, local, task.signal);
  }
  const packs = await FetchedPacks.open(place.path('packs'));
  const missing = await findMissing(lack, local, bundle, task.signal);
  const places = missing.size === 0 ? new Map<string, ChunkLocation>() : await store.locate(missing, digest);
  const ranges = packs.missing(places.values());
  const bytes = ranges.reduce((sum, { from, to }) => sum + to - from, 0);
  if (bytes > 0) {
    await place.expectRoom(bytes, reference);
    task.expect(bytes, 'bytes');
  }
  for (const range of ranges)
    await packs.fetch(store, range, async (length) => {
      task.advance(length);
      await pacer.pass(length);
    });
  const sources = { store, packs, places, passed, ...(local && { local }), ...(bundle && { bundle }) };
  return new FetchedContent(version, { manifest, file: place.path('manifest') }, sources, traffic, stack.move());
}

/** The manifest of what this machine has. Throws `corrupt-manifest`, system errors. */
export async function readBase({ manifestFile, digest }: LocalBase): Promise<VerifiedManifest> {
  return new VerifiedManifest(await readFile(manifestFile), digest, manifestFile);
}

/** The manifest, which is then in the place: from an earlier try, from the bundle and the one `before`, or from the store. Throws a `FormatError` for a bundle that is not sound. */
async function manifestOf(
  { store, version }: FetchRequest,
  place: FetchPlace,
  before?: VerifiedManifest,
  bundle?: BundleFile,
): Promise<VerifiedManifest> {
  const { manifestBytes } = version.record;
  const digest = version.record.digest as Digest;
  const path = place.path('manifest');
  try {
    return new VerifiedManifest(await readFile(path), digest, path);
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    if (!missing && !(error instanceof ImprintError && error.code === 'corrupt-manifest')) throw error;
  }
  let file: Buffer;
  if (bundle === undefined || before === undefined) file = await store.manifestFile(digest);
  else {
    const writer = new ManifestFileWriter(compress);
    const parts = writer.add(bundle.manifest(before.content(), manifestBytes));
    const { out, digest: found } = writer.finish();
    if (found !== digest) throw new FormatError('its manifest does not match its digest');
    file = Buffer.concat([...parts, ...out]);
  }
  await place.expectRoom(file.length, digest);
  await place.write('manifest', file);
  return new VerifiedManifest(file, digest, path);
}

/** Chunks of a version that are not here, each once, in the order of its manifest. */
interface Lack {
  /** The base has not got them: what a bundle brings. */
  added: WantedChunk[];
  /** Only files of the base have them that are not as they were, as far as the file system says. */
  changed: string[];
}

/** Reads the manifest once. */
async function findLack(
  manifest: VerifiedManifest,
  local: LocalChunks | undefined,
  signal: AbortSignal,
): Promise<Lack> {
  const lack: Lack = { added: [], changed: [] };
  const seen = new Set<string>();
  for await (const batch of manifest.entries()) {
    signal.throwIfAborted();
    for (const { chunks = [] } of batch)
      for (const { hash, length } of chunks) {
        const state = local?.stateOf(hash) ?? 'unknown';
        if (state === 'there') continue;
        const name = hex(hash);
        if (seen.has(name)) continue;
        seen.add(name);
        if (state === 'changed') lack.changed.push(name);
        else lack.added.push({ name, length });
      }
  }
  return lack;
}

/** Chunks that neither lie on this machine nor come out of the bundle. */
async function findMissing(
  { added, changed }: Lack,
  local: LocalChunks | undefined,
  bundle: BundleFile | undefined,
  signal: AbortSignal,
): Promise<Set<string>> {
  const missing = new Set(changed);
  if (bundle === undefined || local === undefined) {
    for (const { name } of added) missing.add(name);
    return missing;
  }
  for (const name of bundle.doubtful(local)) {
    signal.throwIfAborted();
    if (bundle.read(name, local) === undefined) missing.add(name);
  }
  return missing;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
