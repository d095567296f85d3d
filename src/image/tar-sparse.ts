import type { DataSegment } from './entry.ts';

/**
 * Where the data of a sparse member lies, from the pairs that a tar archive gives: sorted, no empty ones, touching ones
 * joined. Undefined where they overlap, run past `size`, or do not hold `stored` bytes in all.
 */
export function sparseSegments(
  pairs: readonly (readonly [offset: number, length: number])[],
  size: number,
  stored: number,
): DataSegment[] | undefined {
  const segments: DataSegment[] = [];
  let end = 0;
  let sum = 0;
  for (const [offset, length] of pairs) {
    if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || length < 0 || offset < end) return undefined;
    if (length === 0) continue;
    const last = segments.at(-1);
    if (last && last.offset + last.length === offset) last.length += length;
    else segments.push({ offset, length });
    end = offset + length;
    sum += length;
  }
  return end <= size && sum === stored ? segments : undefined;
}

/**
 * Reads the map at the start of a GNU sparse 1.0 member: decimal numbers, a newline each (how many pairs, then offset and
 * length of each), padded with zeros to whole blocks. `more` where the bytes given do not hold all of it.
 */
export function parseSparseMap(bytes: Buffer): { pairs: [number, number][]; blocks: number } | 'more' | 'bad' {
  const numbers: number[] = [];
  let from = 0;
  let wanted = 1;
  while (numbers.length < wanted) {
    const newline = bytes.indexOf(0x0a, from);
    if (newline < 0) return bytes.length - from > 20 ? 'bad' : 'more';
    const digits = bytes.toString('latin1', from, newline);
    if (!/^\d{1,16}$/.test(digits)) return 'bad';
    numbers.push(Number(digits));
    if (numbers.length === 1) wanted = 1 + 2 * Number(digits);
    from = newline + 1;
  }
  return { pairs: pairUp(numbers.slice(1)), blocks: Math.ceil(from / 512) };
}

/** `0,512,1024,10` (GNU.sparse.map of sparse 0.1) as pairs. */
export function parseSparseList(list: string): [number, number][] | undefined {
  if (list === '') return [];
  const numbers = list.split(',').map(Number);
  return numbers.length % 2 === 0 && numbers.every(Number.isSafeInteger) ? pairUp(numbers) : undefined;
}

function pairUp(numbers: readonly number[]): [number, number][] {
  const pairs: [number, number][] = [];
  for (let index = 0; index + 1 < numbers.length; index += 2) {
    pairs.push([numbers[index] ?? 0, numbers[index + 1] ?? 0]);
  }
  return pairs;
}
