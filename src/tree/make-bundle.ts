import { createHash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import type { Digest } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import {
  type BundleTable,
  bundleFooterLength,
  bundleHead,
  type ChunkFrame,
  encodeBundleFooter,
  encodeBundleTable,
  hashedPartOfFooter,
  type ManifestFrame,
} from '../image/bundle.ts';
import { planFrames, planManifestFrames } from '../image/bundle-frames.ts';
import { type BundlePlan, BundlePlanner } from '../image/bundle-plan.ts';
import type { DirectoryStore } from '../store/directory-store.ts';
import { renameDurably, writing } from '../store/durable.ts';
import { bundleLockPath, bundlePartPath, bundlePath, bundlesDirectory, manifestPath } from '../store/layout.ts';
import { lockStore } from '../store/lock.ts';
import { makeDirectories } from '../store/make-directories.ts';
import { contentOfManifest } from '../store/manifest-reader.ts';
import type { ChunkLocation } from '../store/store.ts';
import { compress } from '../store/zstd.ts';
import type { BundlePiece } from './bundle-message.ts';
import { BundlePool } from './bundle-pool.ts';

export interface MakeBundleOptions {
  task: Task;
  /** Default 1: another takes 200 MB, and some of the work twice, since both read the same frames. */
  threads?: number;
}

export interface BundleReport {
  /** Length of the file. */
  bytes: number;
  /** What the new version has that the old one has not: chunks, and their bytes. */
  chunks: number;
  contentBytes: number;
}

/** zstd level: made once, paid for at every transfer. Twice the work of level 9 for 3 %; 15 takes ten times as much for nothing. */
const level = 12;

/**
 * Makes the bundle that leads from one version to another (docs/image-format.md), in the store; one at a time (`store-locked`). Appears whole or not at all. Errors:
 * `corrupt-manifest`, `corrupt-pack`, `chunk-missing`, `disk-full`, `read-only`.
 */
export async function makeBundle(
  store: DirectoryStore,
  from: Digest,
  to: Digest,
  options: MakeBundleOptions,
): Promise<BundleReport> {
  const { task } = options;
  const directory = store.path(bundlesDirectory);
  await writing(directory, () => makeDirectories(directory));
  await using _lock = await lockStore(store.path(bundleLockPath), store.location, 'making of a bundle');
  await using _old = await store.lease(from);
  await using _new = await store.lease(to);
  const planner = new BundlePlanner();
  for await (const batch of store.entries(from)) planner.addOld(batch);
  for await (const batch of store.entries(to)) planner.addNew(batch);
  task.signal.throwIfAborted();
  const plan = planner.plan();
  const contentBytes = plan.missing.reduce((sum, { length }) => sum + length, 0);
  task.expect(contentBytes, 'bytes');
  const part = store.path(bundlePartPath);
  try {
    const bytes = await writing(part, async () => {
      const writer = await BundleFile.create(part);
      await using _file = writer;
      await using pool = new BundlePool({ store: store.location, level }, options.threads ?? 1);
      const manifest = await writeManifest(store, from, to, pool, writer, task);
      const frames = await writeChunks(store, from, to, planner, plan, pool, writer, task);
      return await writer.finish({ manifest, frames }, from, to);
    });
    await renameDurably(part, store.path(bundlePath(from, to)));
    return { bytes, chunks: plan.missing.length, contentBytes };
  } finally {
    await rm(part, { force: true });
  }
}

async function writeManifest(
  store: DirectoryStore,
  from: Digest,
  to: Digest,
  pool: BundlePool,
  file: BundleFile,
  task: Task,
): Promise<ManifestFrame[]> {
  const content = async (digest: Digest) =>
    shared(await contentOfManifest(await store.manifestFile(digest), digest, store.path(manifestPath(digest))));
  const [before, after] = [await content(from), await content(to)];
  const planned = planManifestFrames(before.length, after.length);
  const jobs = planned.map(({ offset, length, prefix }) => ({
    prefix: [{ bytes: before.subarray(prefix.offset, prefix.offset + prefix.length), length: prefix.length }],
    frames: [[{ bytes: after.subarray(offset, offset + length), length }]],
  }));
  const frames: ManifestFrame[] = [];
  for await (const compressed of pool.run(jobs, task.signal)) {
    const { length, prefix } = planned[frames.length] as (typeof planned)[number];
    const [frame = new Uint8Array()] = compressed;
    await file.write(frame);
    frames.push({ stored: frame.length, content: length, prefix });
  }
  return frames;
}

async function writeChunks(
  store: DirectoryStore,
  from: Digest,
  to: Digest,
  planner: BundlePlanner,
  plan: BundlePlan,
  pool: BundlePool,
  file: BundleFile,
  task: Task,
): Promise<ChunkFrame[]> {
  const jobs = planFrames(plan);
  const wanted = new Set<string>();
  for (const { prefix } of jobs)
    for (const range of prefix) for (const { hash } of planner.piecesOf(range)) wanted.add(hex(hash));
  const old = await store.locate(wanted, from);
  const added = await store.locate(new Set(plan.missing.map(({ hash }) => hex(hash))), to);
  const piece = (places: Map<string, ChunkLocation>, hash: Uint8Array, skip: number, length: number): BundlePiece => {
    const place = places.get(hex(hash));
    const pack = place === undefined ? undefined : store.packFile(place.pack);
    if (place === undefined || pack === undefined)
      throw new ImprintError('chunk-missing', { chunk: hex(hash), digest: to, store: store.location });
    const { frameOffset, frameLength, frameContentLength, offset } = place;
    return { pack, frameOffset, frameLength, frameContentLength, offset: offset + skip, length };
  };
  const requests = function* () {
    for (const { prefix, frames } of jobs)
      yield {
        prefix: prefix.flatMap((range) =>
          planner.piecesOf(range).map(({ hash, skip, length }) => piece(old, hash, skip, length)),
        ),
        frames: frames.map(({ first, chunks }) =>
          plan.missing
            .slice(first, first + chunks)
            .map(({ hash, length }) => ({ ...piece(added, hash, 0, length), hash })),
        ),
      };
  };
  const table: ChunkFrame[] = [];
  let job = 0;
  for await (const compressed of pool.run(requests(), task.signal)) {
    const { prefix, frames } = jobs[job] as (typeof jobs)[number];
    for (const [index, { chunks, content }] of frames.entries()) {
      const frame = compressed[index] ?? new Uint8Array();
      await file.write(frame);
      table.push({ stored: frame.length, content, chunks, prefix });
      task.advance(content);
    }
    job += 1;
  }
  return table;
}

/** A bundle being written. */
class BundleFile implements AsyncDisposable {
  readonly #handle: Awaited<ReturnType<typeof open>>;
  readonly #hash = createHash('sha256');
  #length = 0;

  private constructor(handle: Awaited<ReturnType<typeof open>>) {
    this.#handle = handle;
  }

  static async create(path: string): Promise<BundleFile> {
    const file = new BundleFile(await open(path, 'w', 0o644));
    await file.write(bundleHead);
    return file;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#handle.appendFile(bytes);
    this.#hash.update(bytes);
    this.#length += bytes.length;
  }

  /** Writes table and footer and makes all durable; the length of the file. */
  async finish(table: BundleTable, from: Digest, to: Digest): Promise<number> {
    const content = encodeBundleTable(table);
    const stored = compress(content);
    const tableOffset = this.#length;
    await this.write(stored);
    const place = { tableOffset, tableLength: stored.length, contentLength: content.length, from, to };
    const head = hashedPartOfFooter(encodeBundleFooter({ ...place, hash: Buffer.alloc(32) }));
    const hash = this.#hash.update(head).digest();
    await this.#handle.appendFile(encodeBundleFooter({ ...place, hash }));
    await this.#handle.sync();
    return this.#length + bundleFooterLength;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}

/** Memory that threads see without a copy for each. */
function shared(bytes: Buffer): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
