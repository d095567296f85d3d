import { hash } from 'node:crypto';
import type { Digest, RawPath } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Entry } from '../image/entry.ts';
import type { Store } from '../store/store.ts';
import { readFrame } from './verify-content.ts';

/**
 * The contents of many small files of a version at once, each frame read once, each chunk checked. Holes come as zeros. Throws
 * `chunk-missing`, `corrupt-pack`.
 */
export async function readContents(
  store: Store,
  digest: Digest,
  entries: readonly Entry[],
  signal: AbortSignal,
): Promise<Map<RawPath, Buffer>> {
  const chunks = new Map<string, Buffer | undefined>();
  for (const entry of entries) for (const chunk of entry.chunks ?? []) chunks.set(hex(chunk.hash), undefined);
  const places = await store.locate(chunks.keys(), digest);
  const ordered = [...places].toSorted(([, a], [, b]) =>
    a.pack === b.pack ? a.frameOffset - b.frameOffset : a.pack < b.pack ? -1 : 1,
  );
  let frame: { pack: string; offset: number; content: Uint8Array } | undefined;
  for (const [name, place] of ordered) {
    signal.throwIfAborted();
    if (frame?.pack !== place.pack || frame.offset !== place.frameOffset)
      frame = { pack: place.pack, offset: place.frameOffset, content: await readFrame(store, place) };
    const content = Buffer.from(frame.content.subarray(place.offset, place.offset + place.length));
    if (hash('sha256', content, 'hex') !== name) {
      const problem = `the content ${name} is not what it should be`;
      throw new ImprintError('corrupt-pack', { pack: place.pack, store: store.location, problem });
    }
    chunks.set(name, content);
  }
  const contents = new Map<RawPath, Buffer>();
  for (const entry of entries) {
    const parts = (entry.chunks ?? []).map((chunk) => {
      const content = chunks.get(hex(chunk.hash));
      if (content === undefined)
        throw new ImprintError('chunk-missing', { chunk: hex(chunk.hash), digest, store: store.location });
      return content;
    });
    contents.set(entry.path, layOut(entry, Buffer.concat(parts)));
  }
  return contents;
}

function layOut({ size = 0, segments }: Entry, data: Buffer): Buffer {
  if (segments === undefined) return data;
  const content = Buffer.alloc(size);
  let from = 0;
  for (const { offset, length } of segments) {
    data.copy(content, offset, from, from + length);
    from += length;
  }
  return content;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
