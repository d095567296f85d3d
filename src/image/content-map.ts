import type { ChunkReference } from './entry.ts';

/** A run of bytes of a chunk, and where on a device it lies. */
export interface PlacedContent {
  readonly chunk: ChunkReference;
  /** Of the chunk. */
  readonly skip: number;
  readonly length: number;
  /** Byte of the device. */
  readonly position: number;
}

/** A part of a range: content of a chunk, or whatever else the device has there. */
export type Span =
  | {
      readonly kind: 'content';
      readonly position: number;
      readonly length: number;
      readonly piece: number;
      readonly skip: number;
    }
  | { readonly kind: 'own'; readonly position: number; readonly length: number };

/**
 * Which bytes of a device are content of chunks. Pieces come in any order and do not overlap; a million of them take some 40 MiB. Looking one up
 * takes a handful of comparisons.
 */
export class ContentMap {
  readonly #chunks: ChunkReference[];
  readonly #position: Float64Array;
  readonly #length: Uint32Array;
  readonly #skip: Uint32Array;

  /** Throws a `RangeError` where two pieces overlap. */
  constructor(pieces: readonly PlacedContent[]) {
    const sorted = pieces.filter(({ length }) => length > 0).toSorted((left, right) => left.position - right.position);
    this.#chunks = sorted.map(({ chunk }) => chunk);
    this.#position = Float64Array.from(sorted, ({ position }) => position);
    this.#length = Uint32Array.from(sorted, ({ length }) => length);
    this.#skip = Uint32Array.from(sorted, ({ skip }) => skip);
    for (let piece = 1; piece < sorted.length; piece += 1) {
      if (this.#end(piece - 1) > this.#at(piece)) throw new RangeError(`two pieces lie at byte ${this.#at(piece)}`);
    }
  }

  get pieces(): number {
    return this.#chunks.length;
  }

  chunk(piece: number): ChunkReference {
    const chunk = this.#chunks[piece];
    if (chunk === undefined) throw new RangeError(`there is no piece ${piece}`);
    return chunk;
  }

  /** The range in parts, without a gap, from its first byte to its last. `skip` counts from the beginning of the chunk. */
  spans(position: number, length: number): Span[] {
    const end = position + length;
    const spans: Span[] = [];
    let at = position;
    for (let piece = this.#firstBehind(position); at < end; piece += 1) {
      const start = piece < this.pieces ? Math.min(this.#at(piece), end) : end;
      if (start > at) spans.push({ kind: 'own', position: at, length: start - at });
      at = Math.max(at, start);
      if (at >= end) break;
      const until = Math.min(this.#end(piece), end);
      const skip = (this.#skip[piece] as number) + at - this.#at(piece);
      spans.push({ kind: 'content', position: at, length: until - at, piece, skip });
      at = until;
    }
    return spans;
  }

  /** The first piece that ends behind a byte. */
  #firstBehind(position: number): number {
    let [low, high] = [0, this.pieces];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#end(middle) > position) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #at(piece: number): number {
    return this.#position[piece] as number;
  }

  #end(piece: number): number {
    return this.#at(piece) + (this.#length[piece] as number);
  }
}
