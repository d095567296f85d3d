/** Ranges of bytes that are there, of a file that is fetched piece by piece: sorted, apart from one another. */
export class ByteRanges {
  #ranges: { from: number; to: number }[] = [];

  /** Adds the bytes from `from` up to `to`. */
  add(from: number, to: number): void {
    if (to <= from) return;
    const before = this.#ranges.filter((range) => range.to < from);
    const after = this.#ranges.filter((range) => range.from > to);
    const touching = this.#ranges.slice(before.length, this.#ranges.length - after.length);
    const joined = {
      from: Math.min(from, touching[0]?.from ?? from),
      to: Math.max(to, touching.at(-1)?.to ?? to),
    };
    this.#ranges = [...before, joined, ...after];
  }

  /** Whether all bytes from `from` up to `to` are there. */
  covers(from: number, to: number): boolean {
    return this.#ranges.some((range) => range.from <= from && to <= range.to);
  }

  /** What is missing between `from` and `to`, in order. */
  missing(from: number, to: number): { from: number; to: number }[] {
    const gaps: { from: number; to: number }[] = [];
    let at = from;
    for (const range of this.#ranges) {
      if (range.to <= at) continue;
      if (range.from >= to) break;
      if (range.from > at) gaps.push({ from: at, to: range.from });
      at = range.to;
    }
    if (at < to) gaps.push({ from: at, to });
    return gaps;
  }
}
