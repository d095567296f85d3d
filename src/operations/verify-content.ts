import { hash } from 'node:crypto';
import type { Digest } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import type { ChunkLocation, Store } from '../store/store.ts';
import { decompress } from '../store/zstd.ts';

/** A run of a pack's bytes that is compressed as one. */
export type Frame = Pick<ChunkLocation, 'pack' | 'frameOffset' | 'frameLength' | 'frameContentLength'>;

/** What was read and checked. */
export interface VerifiedContent {
  entries: number;
  /** Of different chunks, once each. */
  bytes: number;
}

/**
 * Reads all content of a version and checks every chunk against its hash, each frame once, in the packs' order. Throws
 * `corrupt-manifest`, `chunk-missing`, or `corrupt-pack` for the first damage.
 */
export async function verifyContent(store: Store, digest: Digest, task: Task): Promise<VerifiedContent> {
  const hashes = new Set<string>();
  let entries = 0;
  for await (const batch of store.entries(digest)) {
    task.signal.throwIfAborted();
    entries += batch.length;
    for (const { chunks } of batch) {
      for (const chunk of chunks ?? []) hashes.add(Buffer.from(chunk.hash).toString('latin1'));
    }
  }
  const wanted = Array.from(hashes, (bytes) => Buffer.from(bytes, 'latin1').toString('hex'));
  const places = await store.locate(wanted, digest);
  for (const chunk of wanted) {
    if (!places.has(chunk)) throw new ImprintError('chunk-missing', { chunk, digest, store: store.location });
  }
  const ordered = inPackOrder(places);
  const bytes = ordered.reduce((sum, [, place]) => sum + place.length, 0);
  task.expect(bytes, 'bytes');
  let frame: { pack: string; offset: number; content: Uint8Array } | undefined;
  for (const [chunk, place] of ordered) {
    task.signal.throwIfAborted();
    if (frame?.pack !== place.pack || frame.offset !== place.frameOffset) {
      frame = { pack: place.pack, offset: place.frameOffset, content: await readFrame(store, place) };
    }
    checkChunk(store, chunk, place, frame.content);
    task.advance(place.length);
  }
  return { entries, bytes };
}

/** Chunks as they follow each other in their packs. */
export function inPackOrder(places: ReadonlyMap<string, ChunkLocation>): [string, ChunkLocation][] {
  return [...places].sort(([, a], [, b]) =>
    a.pack === b.pack ? a.frameOffset - b.frameOffset : a.pack < b.pack ? -1 : 1,
  );
}

/** A frame's content. Throws `corrupt-pack`. */
export async function readFrame(store: Store, place: ChunkLocation): Promise<Uint8Array> {
  return openFrame(store, place, await store.readPack(place.pack, place.frameOffset, place.frameLength));
}

/** The content of a frame's bytes. Throws `corrupt-pack`. */
export function openFrame(store: Store, place: Frame, bytes: Uint8Array): Uint8Array {
  try {
    return decompress(bytes, place.frameContentLength);
  } catch (error) {
    throw corrupt(store, place.pack, error instanceof Error ? error.message : String(error), error);
  }
}

/** A chunk of a frame's content, by its hash in hexadecimal. Throws `corrupt-pack`. */
export function checkChunk(
  store: Store,
  name: string,
  { pack, offset, length }: ChunkLocation,
  frame: Uint8Array,
): Uint8Array {
  const content = frame.subarray(offset, offset + length);
  if (hash('sha256', content, 'hex') === name) return content;
  throw corrupt(store, pack, `the content ${name} is not what it should be`);
}

function corrupt(store: Store, pack: string, problem: string, cause?: unknown): ImprintError {
  return new ImprintError('corrupt-pack', { pack, store: store.location, problem }, { cause });
}
