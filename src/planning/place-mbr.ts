import {
  type Gap,
  gapsBetween,
  mebibyte,
  type PartitionPlace,
  type Placed,
  placementWorth,
  placePartitions,
} from './place-partitions.ts';

/** A partition that stays, in bytes. */
export interface KeptPlace {
  number: number;
  start: number;
  size: number;
  extended: boolean;
}

/** Where each new partition of an MBR goes. */
export interface MbrPlacement {
  placed: (Placed & { logical: boolean })[];
  /** An extended partition that is made, in bytes. */
  extended?: { start: number; size: number };
}

export type MbrAnswer =
  | { kind: 'placed'; placement: MbrPlacement }
  /** `entries`: the table has no free one. */
  | { kind: 'refused'; because: 'room' | 'entries' };

/** A logical partition has a table of its own in front of it, on the boundary before. */
const link = mebibyte;

/**
 * Places partitions in an MBR, which has four entries: where they do not suffice, the first partitions get entries and the others become
 * logical ones, in an extended partition that stays or is made. People say nothing of this.
 */
export function placeMbr(end: number, kept: readonly KeptPlace[], wishes: readonly PartitionPlace[]): MbrAnswer {
  const entries = kept.filter(({ number }) => number <= 4);
  const logical = kept.filter(({ number }) => number > 4);
  const free = 4 - entries.length;
  const outside = gapsBetween(mebibyte, end, entries);
  const container = entries.find(({ extended }) => extended);
  if (container !== undefined) return beside(outside, container, logical, free, wishes);
  if (wishes.length <= free) {
    const placement = placePartitions(outside, wishes);
    if (placement === undefined) return { kind: 'refused', because: 'room' };
    return { kind: 'placed', placement: { placed: placement.placed.map((each) => ({ ...each, logical: false })) } };
  }
  if (free === 0) return { kind: 'refused', because: 'entries' };
  return withExtended(outside, free - 1, wishes);
}

/** The first ones beside the extended partition that stays, the others in it: as many outside as fit best. */
function beside(
  outside: readonly Gap[],
  container: KeptPlace,
  logical: readonly KeptPlace[],
  free: number,
  wishes: readonly PartitionPlace[],
): MbrAnswer {
  // The link of a logical partition that stays lies somewhere in front of it: nothing is put close to it.
  const guarded = logical.map(({ start, size }) => ({ start: start - link, size: size + link }));
  const inside = gapsBetween(container.start, container.start + container.size, guarded);
  for (let count = Math.min(free, wishes.length); count >= 0; count -= 1) {
    const first = placePartitions(outside, wishes.slice(0, count));
    const rest = placePartitions(inside, wishes.slice(count), { before: link });
    if (first === undefined || rest === undefined) continue;
    const placed = [
      ...first.placed.map((each) => ({ ...each, logical: false })),
      ...rest.placed.map((each) => ({ ...each, logical: true })),
    ];
    return { kind: 'placed', placement: { placed } };
  }
  return { kind: 'refused', because: 'room' };
}

/** The first `count` get entries; the others lie in an extended partition behind them, in one gap. */
function withExtended(outside: readonly Gap[], count: number, wishes: readonly PartitionPlace[]): MbrAnswer {
  const [first, rest] = [wishes.slice(0, count), wishes.slice(count)];
  let best: { placement: MbrPlacement; worth: number } | undefined;
  outside.forEach((gap, number) => {
    // With all of them in this gap each logical one costs its link; those in front may also lie in the gaps before.
    for (let here = first.length; here >= 0; here -= 1) {
      const earlier = placePartitions(outside.slice(0, number), first.slice(0, first.length - here));
      const own = [...first.slice(first.length - here), ...rest];
      const room = { start: gap.start, end: gap.end - rest.length * link };
      const together = room.end > room.start ? placePartitions([room], own) : undefined;
      if (earlier === undefined || together === undefined) continue;
      const placement = chain(gap, earlier.placed, together.placed, here);
      const worth = placementWorth(placement.placed, wishes);
      if (best === undefined || worth > best.worth) best = { placement, worth };
      break;
    }
  });
  return best === undefined ? { kind: 'refused', because: 'room' } : { kind: 'placed', placement: best.placement };
}

function chain(gap: Gap, earlier: readonly Placed[], together: readonly Placed[], entries: number): MbrPlacement {
  const front = together.slice(0, entries);
  const start = front.reduce((at, each) => Math.max(at, each.start + each.size), gap.start);
  let shift = 0;
  const logical = together.slice(entries).map((each) => {
    shift += link;
    return { ...each, start: each.start + shift, logical: true };
  });
  return {
    placed: [...earlier, ...front]
      .map((each): MbrPlacement['placed'][number] => ({ ...each, logical: false }))
      .concat(logical),
    extended: { start, size: gap.end - start },
  };
}
