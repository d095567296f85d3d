import { Buffer } from 'node:buffer';
import type { SectorRun } from './copied-map.ts';

/** Where a run of the origin lies in a store of changes. Sectors of 512 bytes. */
export interface KeptRun extends SectorRun {
  /** Sector of the store. */
  readonly at: number;
}

/** What a persistent snapshot of the kernel's device-mapper keeps. */
export interface SnapshotStore {
  /** Rising and apart. */
  readonly runs: readonly KeptRun[];
  /** Sectors of one exception. */
  readonly chunk: number;
}

/** Bytes of the store, from one byte on; fewer where it ends. */
export type ReadStore = (position: number, length: number) => Promise<Uint8Array>;

const [magic, version] = [0x70_41_6e_53, 1];
const pair = 16;

/**
 * Reads the lists of a persistent store (the kernel's `dm-snap-persistent.c`): its head is chunk 0; from chunk 1 on follow, again and again, a list that fills
 * one chunk with pairs (chunk of the origin, chunk of the store), and the chunks that it names. The first pair that names no chunk of the store ends them all.
 * Undefined: it is no such store, or the kernel has given it up.
 */
export async function readSnapshotStore(read: ReadStore): Promise<SnapshotStore | undefined> {
  const head = viewOf(await read(0, pair));
  if (head.length < pair || head.readUInt32LE(0) !== magic || head.readUInt32LE(4) !== 1) return undefined;
  if (head.readUInt32LE(8) !== version) return undefined;
  const chunk = head.readUInt32LE(12);
  if (chunk === 0 || (chunk & (chunk - 1)) !== 0) return undefined;
  const bytes = chunk * 512;
  const perList = bytes / pair;
  const pairs: (readonly [from: number, at: number])[] = [];
  for (let list = 0; ; list += 1) {
    const block = viewOf(await read((1 + list * (perList + 1)) * bytes, bytes));
    const found = pairsOf(block);
    for (const each of found) pairs.push(each);
    if (found.length < perList) break;
  }
  return { runs: runsOf(pairs, chunk), chunk };
}

/** The head of a store that the kernel has given up, as it was before; undefined: it is none, or was not given up. */
export function revivedHead(bytes: Uint8Array): Buffer | undefined {
  const head = Buffer.from(bytes);
  if (head.length < pair || head.readUInt32LE(0) !== magic || head.readUInt32LE(8) !== version) return undefined;
  if (head.readUInt32LE(4) !== 0) return undefined;
  head.writeUInt32LE(1, 4);
  return head;
}

function pairsOf(block: Buffer): (readonly [number, number])[] {
  const pairs: (readonly [number, number])[] = [];
  for (let at = 0; at + pair <= block.length; at += pair) {
    const kept = Number(block.readBigUInt64LE(at + 8));
    if (kept === 0) break;
    pairs.push([Number(block.readBigUInt64LE(at)), kept]);
  }
  return pairs;
}

function runsOf(pairs: readonly (readonly [number, number])[], chunk: number): KeptRun[] {
  const runs: { start: number; length: number; at: number }[] = [];
  for (const [from, kept] of pairs.toSorted(([left], [right]) => left - right)) {
    const [start, at] = [from * chunk, kept * chunk];
    const last = runs.at(-1);
    if (last !== undefined && last.start + last.length === start && last.at + last.length === at) last.length += chunk;
    else runs.push({ start, length: chunk, at });
  }
  return runs;
}

/** The same runs of the origin, as long as they can be, wherever the store has them. */
export function joined(runs: readonly SectorRun[]): SectorRun[] {
  const found: { start: number; length: number }[] = [];
  for (const { start, length } of runs) {
    const last = found.at(-1);
    if (last !== undefined && last.start + last.length === start) last.length += length;
    else found.push({ start, length });
  }
  return found;
}

/** What of a range of the origin lies in the store, and what does not (`at` is undefined); rising, without gaps. */
export function splitByStore(
  runs: readonly KeptRun[],
  { start, length }: SectorRun,
): { start: number; length: number; at: number | undefined }[] {
  const end = start + length;
  const parts: { start: number; length: number; at: number | undefined }[] = [];
  let at = start;
  for (let index = firstBehind(runs, start); at < end; index += 1) {
    const run = runs[index];
    const from = Math.min(run?.start ?? end, end);
    if (from > at) parts.push({ start: at, length: from - at, at: undefined });
    if (run === undefined || from === end) break;
    const begin = Math.max(at, run.start);
    const stop = Math.min(run.start + run.length, end);
    parts.push({ start: begin, length: stop - begin, at: run.at + begin - run.start });
    at = stop;
  }
  return parts;
}

/** The first run that ends behind a sector. */
function firstBehind(runs: readonly KeptRun[], sector: number): number {
  let [low, high] = [0, runs.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const run = runs[middle] as KeptRun;
    if (run.start + run.length <= sector) low = middle + 1;
    else high = middle;
  }
  return low;
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
