import { hash } from 'node:crypto';
import type { Digest } from '../../foundation/brand.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import type { ContentPiece } from '../../image/ext4/writer.ts';
import type { Store } from '../../store/store.ts';
import { readFrame } from '../verify-content.ts';

/**
 * Writes the pieces of content to their places, in the order of the packs: each frame is read once, each chunk checked before it is written.
 * Errors: `chunk-missing`, `corrupt-pack`, and those of `write`.
 */
export async function writeContents(
  store: Store,
  digest: Digest,
  pieces: readonly ContentPiece[],
  write: (position: number, bytes: Uint8Array) => void,
  task: Task,
): Promise<void> {
  const hashes = new Set(pieces.map(({ chunk }) => hex(chunk.hash)));
  const places = hashes.size === 0 ? new Map() : await store.locate(hashes, digest);
  const ordered = pieces
    .map((piece) => {
      const name = hex(piece.chunk.hash);
      const place = places.get(name);
      if (place?.length !== piece.chunk.length)
        throw new ImprintError('chunk-missing', { chunk: name, digest, store: store.location });
      return { piece, name, place };
    })
    .sort(
      (left, right) =>
        compare(left.place.pack, right.place.pack) ||
        left.place.frameOffset - right.place.frameOffset ||
        left.place.offset - right.place.offset,
    );
  task.expect(
    pieces.reduce((sum, { length }) => sum + length, 0),
    'bytes',
  );
  let frame: { pack: string; offset: number; content: Uint8Array } | undefined;
  let checked = '';
  for (const { piece, name, place } of ordered) {
    task.signal.throwIfAborted();
    if (frame === undefined || frame.pack !== place.pack || frame.offset !== place.frameOffset) {
      frame = { pack: place.pack, offset: place.frameOffset, content: await readFrame(store, place) };
    }
    const content = frame.content.subarray(place.offset, place.offset + place.length);
    if (checked !== name && hash('sha256', content, 'hex') !== name) {
      const problem = `the content ${name} is not what it should be`;
      throw new ImprintError('corrupt-pack', { pack: place.pack, store: store.location, problem });
    }
    checked = name;
    write(piece.position, content.subarray(piece.skip, piece.skip + piece.length));
    task.advance(piece.length);
  }
}

function compare(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
