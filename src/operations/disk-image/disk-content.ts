import { hash } from 'node:crypto';
import type { Digest } from '../../foundation/brand.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import type { ChunkReference } from '../../image/entry.ts';
import type { ContentPiece } from '../../image/ext4/writer.ts';
import type { ChunkLocation, Store } from '../../store/store.ts';
import { Column } from '../../tree/columns.ts';
import { readFrame } from '../verify-content.ts';

/** Pieces whose chunks are looked for at a time. */
const batch = 4096;

/** Pieces of content with their places on a disk. In columns, for there may be millions. */
export class DiskContent {
  readonly #chunks: ChunkReference[] = [];
  readonly #skip = Column.u32();
  readonly #length = Column.u32();
  readonly #position = Column.f64();
  /** Bytes of all pieces. */
  bytes = 0;

  add({ chunk, skip, length, position }: ContentPiece): void {
    this.#chunks.push(chunk);
    this.#skip.push(skip);
    this.#length.push(length);
    this.#position.push(position);
    this.bytes += length;
  }

  /**
   * Writes every piece to its place, in the order of the packs: each frame is read once, each chunk checked before it is written.
   * Errors: `chunk-missing`, `corrupt-pack`, and those of `write`.
   */
  async write(
    store: Store,
    digest: Digest,
    write: (position: number, bytes: Uint8Array) => void,
    task: Task,
  ): Promise<void> {
    task.expect(this.bytes, 'bytes');
    const places = await this.#find(store, digest, task);
    let frame: { pack: number; offset: number; content: Uint8Array } | undefined;
    let checked = -1;
    for (const piece of places.order()) {
      task.signal.throwIfAborted();
      const place = places.at(piece);
      const pack = places.pack.at(piece);
      if (frame === undefined || frame.pack !== pack || frame.offset !== place.frameOffset) {
        frame = { pack, offset: place.frameOffset, content: await readFrame(store, place) };
        checked = -1;
      }
      const content = frame.content.subarray(place.offset, place.offset + place.length);
      const wanted = hex(this.#chunks[piece] as ChunkReference);
      // Several pieces of one chunk come one after another.
      if (checked !== place.offset && hash('sha256', content, 'hex') !== wanted) {
        const problem = `the content ${wanted} is not what it should be`;
        throw new ImprintError('corrupt-pack', { pack: place.pack, store: store.location, problem });
      }
      checked = place.offset;
      const skip = this.#skip.at(piece);
      const length = this.#length.at(piece);
      write(this.#position.at(piece), content.subarray(skip, skip + length));
      task.advance(length);
    }
  }

  async #find(store: Store, digest: Digest, task: Task): Promise<Places> {
    const places = new Places();
    for (let from = 0; from < this.#chunks.length; from += batch) {
      task.signal.throwIfAborted();
      const chunks = this.#chunks.slice(from, from + batch);
      const found = await store.locate(new Set(chunks.map(hex)), digest);
      for (const chunk of chunks) {
        const place = found.get(hex(chunk));
        if (place?.length !== chunk.length)
          throw new ImprintError('chunk-missing', { chunk: hex(chunk), digest, store: store.location });
        places.add(place);
      }
    }
    return places;
  }
}

/** Where the chunk of each piece lies. */
class Places {
  readonly pack = Column.u32();
  readonly #names: string[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #frameOffset = Column.f64();
  readonly #frameLength = Column.u32();
  readonly #frameContentLength = Column.u32();
  readonly #offset = Column.u32();
  readonly #length = Column.u32();

  add(place: ChunkLocation): void {
    let pack = this.#numbers.get(place.pack);
    if (pack === undefined) {
      pack = this.#names.length;
      this.#names.push(place.pack);
      this.#numbers.set(place.pack, pack);
    }
    this.pack.push(pack);
    this.#frameOffset.push(place.frameOffset);
    this.#frameLength.push(place.frameLength);
    this.#frameContentLength.push(place.frameContentLength);
    this.#offset.push(place.offset);
    this.#length.push(place.length);
  }

  at(piece: number): ChunkLocation {
    return {
      pack: this.#names[this.pack.at(piece)] ?? '',
      frameOffset: this.#frameOffset.at(piece),
      frameLength: this.#frameLength.at(piece),
      frameContentLength: this.#frameContentLength.at(piece),
      offset: this.#offset.at(piece),
      length: this.#length.at(piece),
    };
  }

  /** Numbers of the pieces by pack, frame and place in it. */
  order(): Uint32Array {
    return Uint32Array.from({ length: this.pack.length }, (_, index) => index).sort(
      (left, right) =>
        this.pack.at(left) - this.pack.at(right) ||
        this.#frameOffset.at(left) - this.#frameOffset.at(right) ||
        this.#offset.at(left) - this.#offset.at(right),
    );
  }
}

function hex({ hash: bytes }: ChunkReference): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
