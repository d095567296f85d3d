import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { liveRecordSize } from './live-record.ts';

/** What the end of a partition holds while a live system moves onto it; sectors of 512 bytes from its beginning. */
export interface LiveArea {
  /** The store of changes: before it the file system may grow. */
  readonly changesAt: number;
  readonly changesLength: number;
  /** Two maps of what was copied, written in turn. */
  readonly maps: readonly [number, number];
  /** What else a start needs to know (`LiveNote`). */
  readonly note: number;
  /** Two records, written in turn: at the very end, where they are looked for. */
  readonly records: readonly [number, number];
}

const block = 8;
const noteSectors = 2048;
/** Exceptions of a snapshot that one block of its lists holds. */
const exceptionsPerBlock = 256;

/**
 * Where all that lies on a partition of `length` sectors, for a source of `size`. The store of changes takes every block of the source, so that it never
 * overflows, whatever is written. Undefined: there is no room for it.
 */
export function liveArea(length: number, size: number): LiveArea | undefined {
  const end = Math.floor(length / block) * block;
  const record = liveRecordSize / 512;
  const records = [end - 2 * record, end - record] as const;
  const note = records[0] - noteSectors;
  const map = mapSectors(size);
  const maps = [note - 2 * map, note - map] as const;
  const blocks = Math.ceil(size / block);
  // Its head, one list more than is full, and every block.
  const changesLength = (1 + Math.ceil(blocks / exceptionsPerBlock) + 1 + blocks) * block;
  const changesAt = maps[0] - changesLength;
  return changesAt < size ? undefined : { changesAt, changesLength, maps, note, records };
}

/** Bytes that a partition must have at least for a source of `size` sectors. */
export function leastLivePartition(size: number): number {
  let length = 2 * size;
  while (liveArea(length, size) === undefined) length += noteSectors;
  return length * 512;
}

const mapHead = 512;

function mapSectors(size: number): number {
  return (Math.ceil((mapHead + Math.ceil(size / block / 8)) / 4096) * 4096) / 512;
}

/** A map as it is kept: with a number that rises, and a checksum. */
export function renderLiveMap(sequence: number, bits: Uint8Array): Buffer {
  const head = Buffer.alloc(mapHead);
  head.write(`imprint live map 1\n${sequence}\n${bits.length}\n${sha256(bits)}\n`, 'latin1');
  const whole = Buffer.concat([head, bits]);
  return Buffer.concat([whole, Buffer.alloc(-whole.length & 4095)]);
}

/** The newer of two maps, and where the next is to be written; no bits: neither is whole. */
export function chooseLiveMap(blocks: readonly [Uint8Array, Uint8Array]): {
  bits: Uint8Array | undefined;
  sequence: number;
  next: 0 | 1;
} {
  const [first, second] = blocks.map(parseLiveMap);
  if (first === undefined && second === undefined) return { bits: undefined, sequence: 0, next: 0 };
  if (first === undefined || (second !== undefined && second.sequence > first.sequence))
    return { ...(second as { bits: Uint8Array; sequence: number }), next: 0 };
  return { ...first, next: 1 };
}

function parseLiveMap(bytes: Uint8Array): { bits: Uint8Array; sequence: number } | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, mapHead)).toString('latin1');
  const match = /^imprint live map 1\n(\d+)\n(\d+)\n([0-9a-f]{64})\n/.exec(head);
  if (match === null) return undefined;
  const bits = bytes.subarray(mapHead, mapHead + Number(match[2]));
  return sha256(bits) === match[3] ? { bits, sequence: Number(match[1]) } : undefined;
}

/** A note as it is kept. Throws a `RangeError` where it is too long. */
export function renderLiveNote(text: string): Buffer {
  const body = Buffer.from(text);
  const head = Buffer.from(`imprint live note 1\n${body.length}\n${sha256(body)}\n`, 'latin1');
  const whole = Buffer.concat([head, body]);
  if (whole.length > noteSectors * 512) throw new RangeError('the note of a live system is too long');
  return Buffer.concat([whole, Buffer.alloc(-whole.length & 4095)]);
}

/** Bytes that are read for a note. */
export const liveNoteSize = noteSectors * 512;

/** Undefined: there is none, or it is damaged. */
export function parseLiveNote(bytes: Uint8Array): string | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const match = /^imprint live note 1\n(\d+)\n([0-9a-f]{64})\n/.exec(buffer.toString('latin1', 0, 120));
  if (match === null) return undefined;
  const body = buffer.subarray(match[0].length, match[0].length + Number(match[1]));
  return sha256(body) === match[2] ? body.toString('utf8') : undefined;
}

/** Bytes that are read for a map. */
export function liveMapSize(size: number): number {
  return mapSectors(size) * 512;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
