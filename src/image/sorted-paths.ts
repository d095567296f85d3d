import { comparePaths } from './entry.ts';

/** Paths from one whole path to the next. */
const group = 32;

/**
 * Paths that come in order (`comparePaths`), kept in about a third of their length: each as what it does not share with the
 * one before. For questions that are seldom asked of very many paths.
 */
export class SortedPaths {
  /** Per path: length of the shared start (2), length of the rest (2), the rest in latin1. */
  #bytes = Buffer.alloc(1 << 16);
  #used = 0;
  #count = 0;
  #previous = '';
  /** Where each group begins; its first path shares nothing. */
  readonly #groups: number[] = [];

  /** Adds a path of at most 65,535 bytes, after all that were added before. */
  push(path: string): void {
    const whole = this.#count % group === 0;
    if (whole) this.#groups.push(this.#used);
    const shared = whole ? 0 : sharedStart(this.#previous, path);
    const rest = path.length - shared;
    if (this.#used + 4 + rest > this.#bytes.length)
      this.#bytes = Buffer.concat([this.#bytes], this.#bytes.length * 2 + rest);
    this.#bytes.writeUInt16LE(shared, this.#used);
    this.#bytes.writeUInt16LE(rest, this.#used + 2);
    this.#bytes.write(shared === 0 ? path : path.slice(shared), this.#used + 4, 'latin1');
    this.#used += 4 + rest;
    this.#count += 1;
    this.#previous = path;
  }

  has(path: string): boolean {
    let from = 0;
    let to = this.#groups.length;
    // The last group that does not begin after the path.
    while (to - from > 1) {
      const middle = (from + to) >> 1;
      if (comparePaths(this.#read(this.#groups[middle] ?? 0, '').path, path) <= 0) from = middle;
      else to = middle;
    }
    const end = this.#groups[from + 1] ?? this.#used;
    let previous = '';
    for (let at = this.#groups[from] ?? end; at < end; ) {
      const read = this.#read(at, previous);
      if (read.path === path) return true;
      previous = read.path;
      at = read.next;
    }
    return false;
  }

  #read(at: number, previous: string): { path: string; next: number } {
    const shared = this.#bytes.readUInt16LE(at);
    const next = at + 4 + this.#bytes.readUInt16LE(at + 2);
    return { path: previous.slice(0, shared) + this.#bytes.toString('latin1', at + 4, next), next };
  }
}

function sharedStart(left: string, right: string): number {
  const shorter = Math.min(left.length, right.length);
  let shared = 0;
  while (shared < shorter && left.charCodeAt(shared) === right.charCodeAt(shared)) shared += 1;
  return shared;
}
