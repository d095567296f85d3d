import type { PackTable } from '../image/pack.ts';
import type { ChunkLocation } from './store.ts';

/** A chunk's place: the number of its pack in the index, and its own number in that pack. */
export interface ChunkPlace {
  pack: number;
  chunk: number;
}

/**
 * All chunks of the packs whose tables were read, by hash. Some 60 bytes a chunk: tables stay in columns, and the index
 * over them is an open-addressed array of numbers.
 */
export class ChunkIndex {
  readonly #packs: { id: string; table: PackTable; hashes: Buffer; first: number }[] = [];
  readonly #known = new Map<string, number>();
  #slots = new Int32Array(1 << 12);
  #count = 0;

  /** Number of chunks, those that lie in two packs counted twice. */
  get chunks(): number {
    return this.#count;
  }

  has(pack: string): boolean {
    return this.#known.has(pack);
  }

  /** Adds a pack. A chunk that an earlier pack holds as well is found in the earlier one. */
  add(id: string, table: PackTable): void {
    if (this.#known.has(id)) return;
    this.#known.set(id, this.#packs.length);
    const hashes = Buffer.from(table.hashes.buffer, table.hashes.byteOffset, table.hashes.byteLength);
    this.#packs.push({ id, table, hashes, first: this.#count });
    this.#count += table.chunks;
    if (this.#count * 2 > this.#slots.length) this.#grow();
    else this.#enter(this.#packs.length - 1);
  }

  pack(number: number): { id: string; table: PackTable } {
    const pack = this.#packs[number];
    if (pack === undefined) throw new RangeError('there is no such pack');
    return pack;
  }

  /** The table of a pack by its name, undefined where it was not added. */
  table(pack: string): PackTable | undefined {
    const number = this.#known.get(pack);
    return number === undefined ? undefined : this.#packs[number]?.table;
  }

  /** Where the chunk with this hash (32 bytes) lies; of several places the first that is preferred, else the first. */
  find(hash: Uint8Array, preferred?: (pack: string, chunk: number) => boolean): ChunkPlace | undefined {
    const mask = this.#slots.length - 1;
    let first: ChunkPlace | undefined;
    for (let slot = firstSlot(hash, 0, mask); ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot] as number;
      if (entry === 0) return first;
      const place = this.#place(entry - 1);
      const pack = this.#packs[place.pack];
      if (pack === undefined || pack.hashes.compare(hash, 0, 32, place.chunk * 32, place.chunk * 32 + 32) !== 0)
        continue;
      if (preferred === undefined || preferred(pack.id, place.chunk)) return place;
      first ??= place;
    }
  }

  location({ pack, chunk }: ChunkPlace): ChunkLocation {
    const { id, table } = this.pack(pack);
    const frame = table.chunkFrame[chunk] as number;
    return {
      pack: id,
      frameOffset: table.frameOffset[frame] as number,
      frameLength: table.frameLength[frame] as number,
      frameContentLength: table.frameContentLength[frame] as number,
      offset: table.chunkOffset[chunk] as number,
      length: table.chunkLength[chunk] as number,
    };
  }

  /** All hashes, 32 bytes each, joined. */
  allHashes(): Uint8Array {
    return Buffer.concat(this.#packs.map((pack) => pack.hashes));
  }

  #place(number: number): ChunkPlace {
    let low = 0;
    let high = this.#packs.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#packs[middle]?.first ?? 0) <= number) low = middle;
      else high = middle - 1;
    }
    return { pack: low, chunk: number - (this.#packs[low]?.first ?? 0) };
  }

  #grow(): void {
    let length = this.#slots.length;
    while (this.#count * 2 > length) length *= 2;
    this.#slots = new Int32Array(length);
    for (let pack = 0; pack < this.#packs.length; pack += 1) this.#enter(pack);
  }

  #enter(number: number): void {
    const pack = this.#packs[number];
    if (pack === undefined) return;
    const mask = this.#slots.length - 1;
    for (let chunk = 0; chunk < pack.table.chunks; chunk += 1) {
      let slot = firstSlot(pack.hashes, chunk * 32, mask);
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = pack.first + chunk + 1;
    }
  }
}

/** A hash is random already: its first four bytes will do. */
function firstSlot(hash: Uint8Array, at: number, mask: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = [hash[at], hash[at + 1], hash[at + 2], hash[at + 3]];
  return (a | (b << 8) | (c << 16) | (d << 24)) & mask;
}
