import type { ChunkReference, DataSegment, Entry } from '../image/entry.ts';

/** A chunk of a file, and the ranges of the file that its bytes fill, in order: several where it reaches over a hole. */
export interface ChunkPlace {
  index: number;
  chunk: ChunkReference;
  ranges: DataSegment[];
}

/** Where the content of a file goes. The entry must have passed `EntryCheck`, as all that a manifest gives out has. */
export function* chunkPlaces(entry: Entry): Generator<ChunkPlace> {
  const segments = entry.segments ?? [{ offset: 0, length: entry.size ?? 0 }];
  let segment = 0;
  let within = 0;
  for (const [index, chunk] of (entry.chunks ?? []).entries()) {
    const ranges: DataSegment[] = [];
    for (let left = chunk.length; left > 0; ) {
      const current = segments[segment];
      if (current === undefined) throw new RangeError('more content than segments');
      const length = Math.min(left, current.length - within);
      if (length > 0) ranges.push({ offset: current.offset + within, length });
      left -= length;
      within += length;
      if (within === current.length) {
        segment += 1;
        within = 0;
      }
    }
    yield { index, chunk, ranges };
  }
}

/** Whether two files hold the same bytes, and their holes at the same places. */
export function sameContent(left: Entry, right: Entry): boolean {
  if (left.size !== right.size || !sameSegments(left, right)) return false;
  const [ours, theirs] = [left.chunks ?? [], right.chunks ?? []];
  return ours.length === theirs.length && ours.every((chunk, index) => sameChunk(chunk, theirs[index]));
}

/**
 * Which chunks of `to` must be written over a file that holds `from`: those that are not at the same place in both. Undefined where too
 * little is alike for it to be worth while, or where holes would have to be made.
 */
export function differingChunks(from: Entry, to: Entry): number[] | undefined {
  const chunks = to.chunks ?? [];
  if (chunks.length < 2 || from.segments !== undefined || to.segments !== undefined) return undefined;
  const old = new Map<number, ChunkReference>();
  let at = 0;
  for (const chunk of from.chunks ?? []) {
    old.set(at, chunk);
    at += chunk.length;
  }
  const differing: number[] = [];
  at = 0;
  for (const [index, chunk] of chunks.entries()) {
    if (!sameChunk(chunk, old.get(at))) differing.push(index);
    at += chunk.length;
  }
  return worthPatching(to, differing) ? differing : undefined;
}

/** Whether a file is better written over in places than made anew: a new one lies together, and an old one is partly kept. */
export function worthPatching(to: Entry, differing: readonly number[]): boolean {
  const written = differing.reduce((sum, index) => sum + (to.chunks?.[index]?.length ?? 0), 0);
  return written <= (to.size ?? 0) * mostRewritten;
}

const mostRewritten = 0.75;

function sameChunk(left: ChunkReference, right: ChunkReference | undefined): boolean {
  return right !== undefined && left.length === right.length && Buffer.compare(left.hash, right.hash) === 0;
}

function sameSegments({ segments: left }: Entry, { segments: right }: Entry): boolean {
  if (left === undefined || right === undefined) return left === right;
  if (left.length !== right.length) return false;
  return left.every(({ offset, length }, index) => right[index]?.offset === offset && right[index]?.length === length);
}
