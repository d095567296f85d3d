import { comparePaths, sharedStart } from './entry.ts';

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

  /** Adds a path of at most 65,535 bytes, after all that were added before. `shared`: length of the start that it shares with the last of them. */
  push(path: string, shared = sharedStart(this.#previous, path)): void {
    const whole = this.#count % group === 0;
    if (whole) this.#groups.push(this.#used);
    const from = whole ? 0 : shared;
    const rest = path.length - from;
    if (this.#used + 4 + rest > this.#bytes.length)
      this.#bytes = Buffer.concat([this.#bytes], this.#bytes.length * 2 + rest);
    const bytes = this.#bytes;
    let at = this.#used;
    bytes[at] = from & 0xff;
    bytes[at + 1] = from >> 8;
    bytes[at + 2] = rest & 0xff;
    bytes[at + 3] = rest >> 8;
    at += 4;
    // Most of these are a few bytes, for which a call of Node's takes longer.
    for (let index = from; index < path.length; index += 1, at += 1) bytes[at] = path.charCodeAt(index);
    this.#used = at;
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
