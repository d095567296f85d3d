import { hash } from 'node:crypto';

/** Files longer than this are cut by content; all others are one chunk. */
export const cutThreshold = 4 << 20;
/** Bounds of a chunk that was cut, in bytes; the last of a file may be shorter. */
export const cutMinimum = 256 << 10;
export const cutNormal = 1 << 20;
export const cutMaximum = 4 << 20;

/** Up to `cutNormal` a cut needs this many leading zero bits, after it that many: lengths gather round `cutNormal`. */
const strictBits = 22;
const looseBits = 18;
/** A 32-bit gear hash forgets a byte after 32 more. */
const gearWindow = 32;

/** The 256 numbers of the gear hash. */
export type GearTable = Int32Array;

/**
 * The gear table of the format: entry i is the first four bytes, little-endian, of the SHA-256 of the ASCII text
 * `imprint gear 1:` followed by i in decimal.
 */
export function createGearTable(): GearTable {
  return Int32Array.from({ length: 256 }, (_, index) =>
    hash('sha256', `imprint gear 1:${index}`, 'buffer').readInt32LE(0),
  );
}

/**
 * Where the chunk that begins at `from` ends. `data` must hold, from there to `end`, at least `cutMaximum` bytes, or all
 * that is left of the file. The result depends on the bytes of that chunk alone, so that an insertion early in a file moves
 * only the cuts near it.
 */
export function findCut(gear: GearTable, data: Uint8Array, from: number, end: number): number {
  if (end - from <= cutMinimum) return end;
  const last = Math.min(end, from + cutMaximum);
  const middle = Math.min(end, from + cutNormal);
  let at = from + cutMinimum - gearWindow;
  let sum = 0;
  for (const warm = at + gearWindow; at < warm; at += 1) sum = ((sum << 1) + (gear[data[at] as number] as number)) | 0;
  // Unrolled by four: the loop is bound by the chain of additions, not by the tests.
  for (const stop = middle - 3; at < stop; at += 4) {
    sum = ((sum << 1) + (gear[data[at] as number] as number)) | 0;
    if (sum >>> (32 - strictBits) === 0) return at + 1;
    sum = ((sum << 1) + (gear[data[at + 1] as number] as number)) | 0;
    if (sum >>> (32 - strictBits) === 0) return at + 2;
    sum = ((sum << 1) + (gear[data[at + 2] as number] as number)) | 0;
    if (sum >>> (32 - strictBits) === 0) return at + 3;
    sum = ((sum << 1) + (gear[data[at + 3] as number] as number)) | 0;
    if (sum >>> (32 - strictBits) === 0) return at + 4;
  }
  for (; at < middle; at += 1) {
    sum = ((sum << 1) + (gear[data[at] as number] as number)) | 0;
    if (sum >>> (32 - strictBits) === 0) return at + 1;
  }
  for (const stop = last - 3; at < stop; at += 4) {
    sum = ((sum << 1) + (gear[data[at] as number] as number)) | 0;
    if (sum >>> (32 - looseBits) === 0) return at + 1;
    sum = ((sum << 1) + (gear[data[at + 1] as number] as number)) | 0;
    if (sum >>> (32 - looseBits) === 0) return at + 2;
    sum = ((sum << 1) + (gear[data[at + 2] as number] as number)) | 0;
    if (sum >>> (32 - looseBits) === 0) return at + 3;
    sum = ((sum << 1) + (gear[data[at + 3] as number] as number)) | 0;
    if (sum >>> (32 - looseBits) === 0) return at + 4;
  }
  for (; at < last; at += 1) {
    sum = ((sum << 1) + (gear[data[at] as number] as number)) | 0;
    if (sum >>> (32 - looseBits) === 0) return at + 1;
  }
  return last;
}
