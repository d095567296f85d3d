import { type SpaceWish, shareSpace } from './share-space.ts';

export const mebibyte = 1024 ** 2;

/** A partition that is to be made. */
export interface PartitionPlace extends SpaceWish {
  name: string;
}

/** Room between what stays, in bytes; both ends on a boundary of 1 MiB. */
export interface Gap {
  start: number;
  end: number;
}

export interface Placed {
  name: string;
  start: number;
  size: number;
}

/** Where each goes. */
export interface Placement {
  placed: Placed[];
  /** Which gap each was put into. */
  gaps: number[];
}

/** Bytes in front of each partition of a gap: the link of a chain of logical ones. */
export interface PlaceOptions {
  before?: number;
}

/**
 * Puts partitions into gaps, in their order where that is possible. Of all ways the one is taken that is worth most (`placementWorth`); of equals the
 * one that begins closest to the front. Undefined where the minimums fit in no way.
 */
export function placePartitions(
  gaps: readonly Gap[],
  wishes: readonly PartitionPlace[],
  options: PlaceOptions = {},
): Placement | undefined {
  const before = options.before ?? 0;
  let best: { placement: Placement; worth: number } | undefined;
  for (const choice of orderedChoices(gaps, wishes, before)) {
    const placement = fill(gaps, wishes, choice, before);
    if (placement === undefined) continue;
    const worth = placementWorth(placement.placed, wishes);
    if (best === undefined || worth > best.worth + 1e-9) best = { placement, worth };
  }
  if (best !== undefined) return best.placement;
  const loose = largestFirst(gaps, wishes, before);
  return loose === undefined ? undefined : fill(gaps, wishes, loose, before);
}

/** The gaps between what stays. */
export function gapsBetween(from: number, to: number, kept: readonly { start: number; size: number }[]): Gap[] {
  const gaps: Gap[] = [];
  let at = from;
  const add = (end: number) => {
    const gap = { start: Math.ceil(at / mebibyte) * mebibyte, end: Math.floor(end / mebibyte) * mebibyte };
    if (gap.end > gap.start) gaps.push(gap);
  };
  for (const { start, size } of [...kept].sort((left, right) => left.start - right.start)) {
    if (start > at) add(Math.min(start, to));
    at = Math.max(at, start + size);
  }
  add(to);
  return gaps;
}

/** More ways than this are not looked at: disks with so many gaps are filled from the front. */
const mostChoices = 20_000;

/** Every way to put the partitions into the gaps that keeps their order. */
function* orderedChoices(gaps: readonly Gap[], wishes: readonly PartitionPlace[], before: number): Generator<number[]> {
  const room = gaps.map(({ start, end }) => end - start);
  const choice: number[] = [];
  let given = 0;
  function* from(index: number, first: number): Generator<number[]> {
    const wish = wishes[index];
    if (wish === undefined) {
      given += 1;
      yield [...choice];
      return;
    }
    const need = wish.min + before;
    for (let gap = first; gap < gaps.length && given < mostChoices; gap += 1) {
      if ((room[gap] ?? 0) < need) continue;
      room[gap] = (room[gap] ?? 0) - need;
      choice.push(gap);
      yield* from(index + 1, gap);
      choice.pop();
      room[gap] = (room[gap] ?? 0) + need;
    }
  }
  yield* from(0, 0);
}

/** The largest first, each into the gap that it fills best: where no way in their order fits. */
function largestFirst(gaps: readonly Gap[], wishes: readonly PartitionPlace[], before: number): number[] | undefined {
  const room = gaps.map(({ start, end }) => end - start);
  const choice: number[] = [];
  const sorted = wishes.map((wish, index) => ({ wish, index })).sort((left, right) => right.wish.min - left.wish.min);
  for (const { wish, index } of sorted) {
    const need = wish.min + before;
    const fitting = room.map((left, gap) => ({ left, gap })).filter(({ left }) => left >= need);
    const [tightest] = fitting.sort((left, right) => left.left - right.left);
    if (tightest === undefined) return undefined;
    room[tightest.gap] = tightest.left - need;
    choice[index] = tightest.gap;
  }
  return choice;
}

function fill(
  gaps: readonly Gap[],
  wishes: readonly PartitionPlace[],
  choice: readonly number[],
  before: number,
): Placement | undefined {
  const placed: Placed[] = [];
  for (const [number, gap] of gaps.entries()) {
    const own = wishes.flatMap((wish, index) => (choice[index] === number ? [{ wish, index }] : []));
    const room = gap.end - gap.start - own.length * before;
    const sizes = shareSpace(
      room,
      own.map(({ wish }) => wish),
      mebibyte,
    );
    if (sizes === undefined) return undefined;
    let at = gap.start;
    own.forEach(({ wish, index }, position) => {
      at += before;
      placed[index] = { name: wish.name, start: at, size: sizes[position] ?? 0 };
      at += sizes[position] ?? 0;
    });
  }
  return { placed, gaps: [...choice] };
}

/**
 * What a placement is worth: the sum of the logarithms of the sizes, each times its weight. In one gap that is greatest where all are shared by weight;
 * over several it says when more room is worth a share that is not quite by weight.
 */
export function placementWorth(placed: readonly Placed[], wishes: readonly PartitionPlace[]): number {
  return wishes.reduce((sum, { name, weight }) => {
    const size = placed.find((each) => each.name === name)?.size ?? 0;
    return weight === 0 || size === 0 ? sum : sum + weight * Math.log(size / mebibyte);
  }, 0);
}
