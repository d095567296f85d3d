import { hash } from 'node:crypto';
import type { Digest } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import type { ChunkLocation, Store } from '../store/store.ts';
import { decompress } from '../store/zstd.ts';

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
  const ordered = [...places].sort(([, a], [, b]) =>
    a.pack === b.pack ? a.frameOffset - b.frameOffset : a.pack < b.pack ? -1 : 1,
  );
  const bytes = ordered.reduce((sum, [, place]) => sum + place.length, 0);
  task.expect(bytes, 'bytes');
  let frame: { pack: string; offset: number; content: Uint8Array } | undefined;
  for (const [chunk, place] of ordered) {
    task.signal.throwIfAborted();
    if (frame?.pack !== place.pack || frame.offset !== place.frameOffset) {
      frame = { pack: place.pack, offset: place.frameOffset, content: await readFrame(store, place) };
    }
    const content = frame.content.subarray(place.offset, place.offset + place.length);
    if (hash('sha256', content, 'hex') !== chunk)
      throw corrupt(store, place.pack, `the content ${chunk} is not what it should be`);
    task.advance(place.length);
  }
  return { entries, bytes };
}

/** A frame's content. Throws `corrupt-pack`. */
export async function readFrame(store: Store, place: ChunkLocation): Promise<Uint8Array> {
  const bytes = await store.readPack(place.pack, place.frameOffset, place.frameLength);
  try {
    return decompress(bytes, place.frameContentLength);
  } catch (error) {
    throw corrupt(store, place.pack, error instanceof Error ? error.message : String(error), error);
  }
}

function corrupt(store: Store, pack: string, problem: string, cause?: unknown): ImprintError {
  return new ImprintError('corrupt-pack', { pack, store: store.location, problem }, { cause });
}
