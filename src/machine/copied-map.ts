import { Buffer } from 'node:buffer';

/** Sectors of 512 bytes in a block of the map: what a snapshot copies at least. */
export const sectorsPerBlock = 8;

/** A run of sectors of the source. */
export interface SectorRun {
  readonly start: number;
  readonly length: number;
}

/**
 * Which blocks of a source lie on the disk already, a bit for each, and which is to be copied next: first what somebody is known to need soon, then
 * the rest from the front. 4 GiB take 128 KiB.
 */
export class CopiedMap {
  readonly #bits: Uint8Array;
  readonly #blocks: number;
  readonly #longest: number;
  #wanted: SectorRun[] = [];
  /** Before this block all is copied. */
  #front = 0;
  #copied = 0;
  /** What is known to last. */
  #kept: Uint8Array;

  /**
   * @param size of the source, in sectors: whole blocks
   * @param longest sectors that are copied at a time at most
   * @param bits of an earlier start (`bytes`)
   */
  constructor(size: number, longest: number, bits?: Uint8Array) {
    this.#blocks = blocksOf(size);
    this.#longest = Math.max(1, Math.floor(longest / sectorsPerBlock));
    this.#bits = new Uint8Array(Math.ceil(this.#blocks / 8));
    this.#kept = new Uint8Array(this.#bits.length);
    if (bits === undefined) return;
    if (bits.length < this.#bits.length) throw new RangeError('the map is of a smaller source');
    this.#kept.set(bits.subarray(0, this.#bits.length));
    this.forget();
  }

  /** What is marked lasts from now on. */
  keep(): void {
    this.#kept.set(this.#bits);
  }

  /**
   * Takes back what was marked and does not last: where a disk could not keep something, nobody knows what of all that was written since. How many sectors
   * that are.
   */
  forget(): number {
    const before = this.#copied;
    this.#bits.set(this.#kept);
    this.#front = 0;
    this.#copied = 0;
    for (let block = 0; block < this.#blocks; block += 1) if (this.#has(block)) this.#copied += 1;
    return (before - this.#copied) * sectorsPerBlock;
  }

  /** Sectors that lie on the disk. */
  get copied(): number {
    return this.#copied * sectorsPerBlock;
  }

  /** As it is kept. */
  get bytes(): Buffer {
    return Buffer.from(this.#bits);
  }

  /** Puts runs at the head of the queue, in this order; parts of blocks count as whole ones. */
  want(runs: readonly SectorRun[]): void {
    this.#wanted = [...runs, ...this.#wanted];
  }

  /** What of a run does not lie on the disk, rising. */
  gaps({ start, length }: SectorRun): SectorRun[] {
    const gaps: { start: number; length: number }[] = [];
    for (let block = start / sectorsPerBlock; block < (start + length) / sectorsPerBlock; block += 1) {
      if (this.#has(block)) continue;
      const [at, last] = [block * sectorsPerBlock, gaps.at(-1)];
      if (last !== undefined && last.start + last.length === at) last.length += sectorsPerBlock;
      else gaps.push({ start: at, length: sectorsPerBlock });
    }
    return gaps;
  }

  /** How many sectors of it were not there before. */
  mark({ start, length }: SectorRun): number {
    const before = this.#copied;
    for (let block = start / sectorsPerBlock; block < (start + length) / sectorsPerBlock; block += 1) {
      if (!Number.isInteger(block) || block >= this.#blocks)
        throw new RangeError('it is no run of blocks of the source');
      if (!this.#has(block)) this.#copied += 1;
      this.#bits[block >> 3] = (this.#bits[block >> 3] as number) | (1 << (block & 7));
    }
    return (this.#copied - before) * sectorsPerBlock;
  }

  /** What is to be copied next: whole blocks, none of them copied. Undefined: all is. Until it is marked, the same is said again. */
  next(): SectorRun | undefined {
    for (;;) {
      const [first] = this.#wanted;
      if (first === undefined) break;
      const end = Math.min(Math.ceil((first.start + first.length) / sectorsPerBlock), this.#blocks);
      const found = this.#missing(Math.floor(first.start / sectorsPerBlock), end);
      if (found !== undefined) return found;
      this.#wanted.shift();
    }
    while (this.#front < this.#blocks && this.#has(this.#front)) this.#front += 1;
    return this.#missing(this.#front, this.#blocks);
  }

  /** All that lies on the disk, rising and apart, in sectors. */
  runs(): SectorRun[] {
    const runs: SectorRun[] = [];
    for (let block = 0; block < this.#blocks; ) {
      const start = block;
      while (block < this.#blocks && this.#has(block)) block += 1;
      if (block > start) runs.push({ start: start * sectorsPerBlock, length: (block - start) * sectorsPerBlock });
      else block += 1;
    }
    return runs;
  }

  #missing(from: number, end: number): SectorRun | undefined {
    let start = from;
    while (start < end && this.#has(start)) start += 1;
    if (start >= end) return undefined;
    let behind = start + 1;
    while (behind < end && behind - start < this.#longest && !this.#has(behind)) behind += 1;
    return { start: start * sectorsPerBlock, length: (behind - start) * sectorsPerBlock };
  }

  #has(block: number): boolean {
    return ((this.#bits[block >> 3] as number) & (1 << (block & 7))) !== 0;
  }
}

function blocksOf(size: number): number {
  if (!Number.isInteger(size / sectorsPerBlock))
    throw new RangeError(`a source of ${size} sectors is not of whole blocks`);
  return size / sectorsPerBlock;
}
