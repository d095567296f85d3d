import { hash } from 'node:crypto';
import type { z } from 'zod';
import type { imageCat } from '../contract/operations/images.ts';
import type { Digest } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import type { ChunkReference, DataSegment } from '../image/entry.ts';
import type { Store } from '../store/store.ts';
import type { Context } from './context.ts';
import { findEntry, rawArgument } from './find-entry.ts';
import { readFrame } from './verify-content.ts';

const holePiece = 1 << 20;
/** Chunks that are located at a time: what bounds the memory for a file of any length. */
const locateBatch = 1024;

/** The content of a file of a version, in order; every chunk is checked before it comes. Symlinks are followed. */
export async function* catFile(
  context: Context,
  input: z.output<typeof imageCat.input>,
  task: Task,
): AsyncGenerator<Uint8Array> {
  const store = await context.store();
  const digest = (await store.resolve(input.reference, 'look')).record.digest as Digest;
  const { signal } = task;
  let entry = await findEntry(store, digest, rawArgument(input.path), input.reference, { follow: true, signal });
  if (entry.type === 'hardlink') {
    entry = await findEntry(store, digest, entry.target ?? rawArgument(''), input.reference, { follow: false, signal });
  }
  if (entry.type !== 'file') {
    throw new ImprintError('usage', {
      problem: `${input.path} is not a file but a ${entry.type}.`,
      hint: `List it: imprint image ls -l ${input.reference} ${input.path}`,
    });
  }
  const size = entry.size ?? 0;
  yield* withHoles(
    readChunks(store, digest, entry.chunks ?? [], signal),
    entry.segments ?? [{ offset: 0, length: size }],
    size,
  );
}

/** Chunks in order, each verified against its hash. */
async function* readChunks(
  store: Store,
  digest: Digest,
  chunks: readonly ChunkReference[],
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let frame: { key: string; content: Uint8Array } | undefined;
  for (let from = 0; from < chunks.length; from += locateBatch) {
    const batch = chunks.slice(from, from + locateBatch).map(({ hash: bytes }) => Buffer.from(bytes).toString('hex'));
    const places = await store.locate(batch, digest);
    for (const wanted of batch) {
      signal.throwIfAborted();
      const place = places.get(wanted);
      if (place === undefined)
        throw new ImprintError('chunk-missing', { chunk: wanted, digest, store: store.location });
      const key = `${place.pack}:${place.frameOffset}`;
      if (frame?.key !== key) {
        frame = { key, content: await readFrame(store, place) };
      }
      const content = frame.content.subarray(place.offset, place.offset + place.length);
      if (hash('sha256', content, 'hex') !== wanted) {
        const problem = `the content ${wanted} is not what it should be`;
        throw new ImprintError('corrupt-pack', { pack: place.pack, store: store.location, problem });
      }
      yield content;
    }
  }
}

/** Content laid out at its segments, with zeros for the holes between them. */
async function* withHoles(
  content: AsyncIterable<Uint8Array>,
  segments: readonly DataSegment[],
  size: number,
): AsyncGenerator<Uint8Array> {
  const zeros = new Uint8Array(holePiece);
  let position = 0;
  function* hole(to: number): Generator<Uint8Array> {
    for (; position < to; position += Math.min(holePiece, to - position))
      yield zeros.subarray(0, Math.min(holePiece, to - position));
  }
  let index = 0;
  for await (const piece of content) {
    for (let used = 0; used < piece.length; ) {
      const segment = segments[index];
      if (segment === undefined)
        throw new ImprintError('internal', { problem: 'a file has more content than segments' });
      if (position < segment.offset) yield* hole(segment.offset);
      const room = segment.offset + segment.length - position;
      const part = piece.subarray(used, used + room);
      if (part.length > 0) yield part;
      position += part.length;
      used += part.length;
      if (part.length === room) index += 1;
    }
  }
  yield* hole(size);
}
