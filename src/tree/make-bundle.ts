import { createHash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import type { Digest } from '../foundation/brand.ts';
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
import { planManifestFrames } from '../image/bundle-frames.ts';
import type { DirectoryStore } from '../store/directory-store.ts';
import { renameDurably, writing } from '../store/durable.ts';
import { bundleLockPath, bundlePartPath, bundlePath, bundlesDirectory, manifestPath } from '../store/layout.ts';
import { lockStore } from '../store/lock.ts';
import { makeDirectories } from '../store/make-directories.ts';
import { VerifiedManifest } from '../store/manifest-reader.ts';
import { compress } from '../store/zstd.ts';
import type { PlannedBundle } from './bundle-message.ts';
import { BundlePool } from './bundle-pool.ts';
import { jobsOf, planBundle, planBundleAside } from './plan-bundle.ts';

export interface MakeBundleOptions {
  task: Task;
  /** Default 1: another takes 200 MB, and some of the work twice, since both read the same frames. */
  threads?: number;
  /** Bytes of both manifests as they are stored up to which the plan is made in this thread; default 1 MiB, of some 20,000 entries. */
  planHere?: number;
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
/** What a plan needs meanwhile is thirty times that; a thread takes a quarter of a second to start. */
const planHere = 1 << 20;

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
  const length = (await store.manifestFile(from)).length + (await store.manifestFile(to)).length;
  const plan =
    length > (options.planHere ?? planHere)
      ? await planBundleAside(store.location, from, to, task.signal)
      : await planBundle(store, from, to, task.signal);
  task.expect(plan.contentBytes, 'bytes');
  const part = store.path(bundlePartPath);
  try {
    const bytes = await writing(part, async () => {
      const writer = await BundleFile.create(part);
      await using _file = writer;
      await using pool = new BundlePool({ store: store.location, level }, options.threads ?? 1);
      const manifest = await writeManifest(store, from, to, pool, writer, task);
      const frames = await writeChunks(plan, pool, writer, task);
      return await writer.finish({ manifest, frames }, from, to);
    });
    await renameDurably(part, store.path(bundlePath(from, to)));
    return { bytes, chunks: plan.chunks, contentBytes: plan.contentBytes };
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
    new VerifiedManifest(await store.manifestFile(digest), digest, store.path(manifestPath(digest))).content(shared);
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

async function writeChunks(plan: PlannedBundle, pool: BundlePool, file: BundleFile, task: Task): Promise<ChunkFrame[]> {
  const table: ChunkFrame[] = [];
  let job = 0;
  for await (const compressed of pool.run(jobsOf(plan), task.signal)) {
    const { prefix, frames } = plan.jobs[job] as PlannedBundle['jobs'][number];
    for (const [index, { chunks, content }] of frames.entries()) {
      const frame = compressed[index] ?? new Uint8Array();
      const stored = frame.length;
      await file.write(frame);
      // Memory that the engine would give back late.
      frame.buffer.transfer(0);
      table.push({ stored, content, chunks, prefix });
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
function shared(length: number): Buffer {
  return Buffer.from(new SharedArrayBuffer(length));
}
