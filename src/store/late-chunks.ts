import type { ChunkReference } from '../image/entry.ts';

/** Between two looks at what is still missing, at least. */
const fewest = 20_000;
const rowLength = 36;

/**
 * Chunks that a manifest refers to while the packs that hold them are still being written: 36 bytes each, for there may be
 * a million of them before the first pack is full.
 */
export class LateChunks {
  #rows = Buffer.alloc(1024 * rowLength);
  #count = 0;
  #nextLook = fewest;

  add({ hash, length }: ChunkReference): void {
    const at = this.#count * rowLength;
    if (at === this.#rows.length) this.#rows = Buffer.concat([this.#rows], this.#rows.length * 2);
    this.#rows.set(hash, at);
    this.#rows.writeUInt32LE(length, at + 32);
    this.#count += 1;
  }

  /** From time to time: forgets those that have arrived. */
  look(arrived: (chunk: ChunkReference) => boolean): void {
    if (this.#count < this.#nextLook) return;
    this.firstMissing(arrived);
    this.#nextLook = Math.max(fewest, this.#count * 2);
  }

  /** Forgets those that have arrived; one that has not, if there is any. */
  firstMissing(arrived: (chunk: ChunkReference) => boolean): ChunkReference | undefined {
    let kept = 0;
    for (let index = 0; index < this.#count; index += 1) {
      if (arrived(this.#at(index))) continue;
      this.#rows.copyWithin(kept * rowLength, index * rowLength, (index + 1) * rowLength);
      kept += 1;
    }
    this.#count = kept;
    return kept === 0 ? undefined : this.#at(0);
  }

  #at(index: number): ChunkReference {
    const at = index * rowLength;
    return { hash: this.#rows.subarray(at, at + 32), length: this.#rows.readUInt32LE(at + 32) };
  }
}
