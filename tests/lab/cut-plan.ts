import type { LogEntry } from './write-log.ts';

/** A disk as a power cut may leave it: what was written before, but for some of what was not flushed yet. */
export interface Cut {
  /** Entries `0 … after - 1` of the log were sent to the disk. */
  readonly after: number;
  /** Of those since the last flush: the ones that never got there. */
  readonly lost: readonly number[];
  /** One of them of which only these sectors got there. */
  readonly torn?: { readonly entry: number; readonly sectors: readonly number[] };
  /** Why it was chosen, for a failure's message. */
  readonly why: string;
}

/** A piece of the disk: bytes from, and to but not with. */
export interface Region {
  readonly from: number;
  readonly to: number;
}

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32), so that a failed cut can be made again. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * `count` cuts at random moments of `entries[from … to]`. A third each: all that was not flushed is lost; each of it is there or not by
 * chance; the same, and the last write is torn.
 */
export function randomCuts(
  entries: readonly LogEntry[],
  from: number,
  to: number,
  count: number,
  random: () => number,
): Cut[] {
  return Array.from({ length: count }, (_, index) => {
    const after = from + Math.floor(random() * (to - from + 1));
    return cutAt(entries, after, (['none', 'some', 'torn'] as const)[index % 3] ?? 'none', random, 'at random');
  });
}

/**
 * The cuts around everything that changes `region` in `entries[from … to]`: before and after each write to it and each flush that follows
 * one, with all, none and some of what was not flushed. `tornAt`: sectors that the disk writes at once; 1 for records that must bear that, too.
 */
export function criticalCuts(
  entries: readonly LogEntry[],
  from: number,
  to: number,
  region: Region,
  random: () => number,
  tornAt = block,
): Cut[] {
  const moments = new Set<number>();
  let waits = false;
  for (let index = from; index < to; index += 1) {
    const entry = entries[index];
    if (entry === undefined) break;
    const touches = entry.kind !== 'mark' && entry.offset < region.to && entry.offset + entry.length > region.from;
    if (touches) waits = true;
    if (touches || (entry.kind === 'flush' && waits)) moments.add(index).add(index + 1);
    if (entry.kind === 'flush') waits = false;
  }
  return [...moments]
    .sort((a, b) => a - b)
    .flatMap((after) =>
      (['all', 'none', 'some', 'torn'] as const).map((what) => cutAt(entries, after, what, random, 'critical', tornAt)),
    );
}

/**
 * Sectors of 512 bytes that a disk writes all or not at all: 4 KiB, as file systems expect of it (the super block of ext4 spans two sectors,
 * and does not mount when it is torn).
 */
const block = 8;

type Survivors = 'all' | 'none' | 'some' | 'torn';

function cutAt(
  entries: readonly LogEntry[],
  after: number,
  what: Survivors,
  random: () => number,
  reason: string,
  tornAt = block,
): Cut {
  const pending = unflushed(entries, after);
  const why = `${reason}, after entry ${after}, of ${pending.length} that were not flushed ${what}`;
  if (what === 'all') return { after, lost: [], why };
  if (what === 'none') return { after, lost: pending, why };
  const lost = pending.filter(() => random() < 0.5);
  if (what === 'some') return { after, lost, why };
  const last = pending.findLast((index) => entries[index]?.kind === 'write');
  const sectors = last === undefined ? 0 : (entries[last]?.length ?? 0) / 512;
  if (last === undefined || sectors < 2) return { after, lost, why };
  const first = (entries[last]?.offset ?? 0) / 512;
  const unit = (sector: number) => Math.floor((first + sector) / tornAt) - Math.floor(first / tornAt);
  const units = Array.from({ length: unit(sectors - 1) + 1 }, () => random() < 0.5);
  const there = Array.from({ length: sectors }, (_, sector) => sector).filter((each) => units[unit(each)]);
  return { after, lost: lost.filter((index) => index !== last), torn: { entry: last, sectors: there }, why };
}

/** Entries before `after` that a power cut there may lose. */
export function unflushed(entries: readonly LogEntry[], after: number): number[] {
  const pending: number[] = [];
  for (let index = after - 1; index >= 0; index -= 1) {
    const entry = entries[index];
    if (entry === undefined || entry.kind === 'flush') break;
    if ((entry.kind === 'write' && !entry.lasts) || entry.kind === 'discard') pending.unshift(index);
  }
  return pending;
}
