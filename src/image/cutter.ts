import { hash } from 'node:crypto';

/** Files longer than this are cut by content; all others are one chunk. */
export const cutThreshold = 4 << 20;
/** Length of a chunk that was cut, in bytes, at most. */
export const cutMaximum = 4 << 20;

/** How a chunk is cut, by where in the data of its file it begins. */
interface CutRule {
  /** Lengths in bytes; the last chunk of a file may be shorter. They gather round `normal`. */
  minimum: number;
  normal: number;
  maximum: number;
  /** Bits of the hash that must be zero before a cut, up to `normal` and after it. */
  strict: number;
  loose: number;
}

/**
 * Small chunks, so that a database or the image of a disk that changes in many places costs little more than what changed;
 * larger ones further on, so that the list of a very long file's chunks can still be held in memory.
 */
const fine: CutRule = cutRule(15);
const middling: CutRule = cutRule(18);
const coarse: CutRule = cutRule(20);
const middlingFrom = 2 ** 30;
const coarseFrom = 2 ** 36;

function cutRule(bits: number): CutRule {
  const normal = 1 << bits;
  const leading = (count: number) => -1 << (32 - count);
  return {
    minimum: normal / 4,
    normal,
    maximum: normal * 4,
    strict: leading(bits + 2),
    loose: leading(bits - 2),
  };
}

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
 * that is left of the file; `position` is where in the file's data (its holes left out) the chunk begins. The result depends on
 * the bytes of that chunk alone, so that an insertion early in a file moves only the cuts near it.
 */
export function findCut(gear: GearTable, data: Uint8Array, from: number, end: number, position: number): number {
  const { minimum, normal, maximum, strict, loose } = ruleAt(position);
  if (end - from <= minimum) return end;
  const last = Math.min(end, from + maximum);
  const middle = Math.min(last, from + normal);
  return scan(gear, data, from + minimum, middle, strict) ?? scan(gear, data, middle, last, loose) ?? last;
}

function ruleAt(position: number): CutRule {
  if (position < middlingFrom) return fine;
  return position < coarseFrom ? middling : coarse;
}

/**
 * The first cut in `from` … `to`: after the byte at which no bit of `mask` is left in the hash. Reads four bytes at once, which
 * is a quarter faster than one by one; the additions are those of the specification.
 */
function scan(gear: GearTable, data: Uint8Array, from: number, to: number, mask: number): number | undefined {
  let at = from - gearWindow;
  let sum = 0;
  for (; at < from; at += 1) sum = ((sum << 1) + (gear[data[at] as number] as number)) | 0;
  const aligned = Math.min(to, at + ((4 - ((data.byteOffset + at) % 4)) % 4));
  const bytesTo = isLittleEndian() ? aligned : to;
  for (; at < bytesTo; at += 1) {
    sum = ((sum << 1) + (gear[data[at] as number] as number)) | 0;
    if ((sum & mask) === 0) return at + 1;
  }
  const words = at < to ? new Int32Array(data.buffer, data.byteOffset + at, (to - at) >> 2) : noWords;
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] as number;
    sum = ((sum << 1) + (gear[word & 0xff] as number)) | 0;
    if ((sum & mask) === 0) return at + index * 4 + 1;
    sum = ((sum << 1) + (gear[(word >>> 8) & 0xff] as number)) | 0;
    if ((sum & mask) === 0) return at + index * 4 + 2;
    sum = ((sum << 1) + (gear[(word >>> 16) & 0xff] as number)) | 0;
    if ((sum & mask) === 0) return at + index * 4 + 3;
    sum = ((sum << 1) + (gear[word >>> 24] as number)) | 0;
    if ((sum & mask) === 0) return at + index * 4 + 4;
  }
  for (at += words.length * 4; at < to; at += 1) {
    sum = ((sum << 1) + (gear[data[at] as number] as number)) | 0;
    if ((sum & mask) === 0) return at + 1;
  }
  return undefined;
}

const noWords = new Int32Array(0);

function isLittleEndian(): boolean {
  return new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
}
