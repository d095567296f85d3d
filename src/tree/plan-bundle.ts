import { Worker } from 'node:worker_threads';
import type { Digest } from '../foundation/brand.ts';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import { type FrameGroup, planFrames } from '../image/bundle-frames.ts';
import { type BundlePlan, BundlePlanner } from '../image/bundle-plan.ts';
import type { DirectoryStore } from '../store/directory-store.ts';
import type { ChunkLocation } from '../store/store.ts';
import {
  type BundleJob,
  type BundlePiece,
  type BundlePlanAnswer,
  type BundlePlanWorkerData,
  type PlannedBundle,
  pieceFields,
} from './bundle-message.ts';
import { endWorkers } from './end-workers.ts';
import { workerArguments, workerUrl } from './worker-url.ts';

/**
 * Plans the bundle from one version to another: what it brings, by what that is compressed, where both lie. Holds lists of all chunks of both versions meanwhile.
 * Errors: `corrupt-manifest`, `corrupt-pack`, `chunk-missing`.
 */
export async function planBundle(
  store: DirectoryStore,
  from: Digest,
  to: Digest,
  signal: AbortSignal,
): Promise<PlannedBundle> {
  const planner = new BundlePlanner();
  for await (const batch of store.entries(from)) {
    signal.throwIfAborted();
    planner.addOld(batch);
  }
  for await (const batch of store.entries(to)) {
    signal.throwIfAborted();
    planner.addNew(batch);
  }
  const plan = planner.plan();
  const groups = planFrames(plan);
  const old = new Set<string>();
  for (const { prefix } of groups)
    for (const range of prefix) for (const { hash } of planner.piecesOf(range)) old.add(hex(hash));
  const places = {
    old: await store.locate(old, from),
    added: await store.locate(new Set(plan.missing.map(({ hash }) => hex(hash))), to),
  };
  return inColumns(store, to, planner, plan, groups, places);
}

/** The same in a thread of its own: what planning needed is given back when that ends, which the engine else does late or never. */
export async function planBundleAside(
  store: string,
  from: Digest,
  to: Digest,
  signal: AbortSignal,
): Promise<PlannedBundle> {
  const workerData: BundlePlanWorkerData = { store, from, to };
  const worker = new Worker(workerUrl('bundle-plan-worker'), { workerData, execArgv: [...workerArguments] });
  const { promise, resolve, reject } = Promise.withResolvers<PlannedBundle>();
  const abort = () => reject(signal.reason);
  worker.on('message', (answer: BundlePlanAnswer) => {
    if (answer.kind === 'planned') resolve(answer.plan);
    else reject(ImprintError.fromValue(answer.error));
  });
  worker.on('error', (error) => reject(toImprintError(error)));
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', abort);
    await endWorkers([worker], new SharedArrayBuffer(4));
  }
}

/** What is to be compressed, job by job. */
export function* jobsOf({ jobs, packs, pieces, hashes }: PlannedBundle): Generator<Omit<BundleJob, 'id'>> {
  let next = 0;
  const take = (): Exclude<BundlePiece, { bytes: Uint8Array }> => {
    const [pack = 0, frameOffset = 0, frameLength = 0, frameContentLength = 0, offset = 0, length = 0] =
      pieces.subarray(next * pieceFields, (next + 1) * pieceFields);
    next += 1;
    return { pack: packs[pack] ?? '', frameOffset, frameLength, frameContentLength, offset, length };
  };
  for (const { prefixPieces, frames } of jobs)
    yield {
      prefix: Array.from({ length: prefixPieces }, take),
      frames: frames.map(({ first, chunks }) =>
        Array.from({ length: chunks }, (_, index) => ({
          ...take(),
          // Its own: with a view, a thread were given all of them.
          hash: hashes.slice((first + index) * 32, (first + index + 1) * 32),
        })),
      ),
    };
}

function inColumns(
  store: DirectoryStore,
  to: Digest,
  planner: BundlePlanner,
  plan: BundlePlan,
  groups: readonly FrameGroup[],
  places: { old: Map<string, ChunkLocation>; added: Map<string, ChunkLocation> },
): PlannedBundle {
  const packs = new Map<string, number>();
  const numbers: number[] = [];
  const add = (among: Map<string, ChunkLocation>, hash: Uint8Array, skip: number, length: number) => {
    const place = among.get(hex(hash));
    const path = place === undefined ? undefined : store.packFile(place.pack);
    if (place === undefined || path === undefined)
      throw new ImprintError('chunk-missing', { chunk: hex(hash), digest: to, store: store.location });
    const pack = packs.get(path) ?? packs.size;
    packs.set(path, pack);
    numbers.push(pack, place.frameOffset, place.frameLength, place.frameContentLength, place.offset + skip, length);
  };
  const jobs = groups.map(({ prefix, frames }) => {
    const pieces = prefix.flatMap((range) => planner.piecesOf(range));
    for (const { hash, skip, length } of pieces) add(places.old, hash, skip, length);
    for (const { first, chunks } of frames)
      for (const { hash, length } of plan.missing.slice(first, first + chunks)) add(places.added, hash, 0, length);
    return { prefix, frames, prefixPieces: pieces.length };
  });
  const hashes = new Uint8Array(plan.missing.length * 32);
  for (const [index, { hash }] of plan.missing.entries()) hashes.set(hash, index * 32);
  const contentBytes = plan.missing.reduce((sum, { length }) => sum + length, 0);
  const pieces = Float64Array.from(numbers);
  return { jobs, packs: [...packs.keys()], pieces, hashes, chunks: plan.missing.length, contentBytes };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
