import { bundleFrameLimit, bundlePrefixLimit, bundlePrefixRanges } from './bundle.ts';
import type { BaseRange, BundlePlan } from './bundle-plan.ts';

/** Frames that have the same prefix, one after another. */
export interface FrameGroup {
  prefix: BaseRange[];
  frames: { first: number; chunks: number; content: number }[];
}

/** Content of a frame of many small files; the prefix that goes with it is about as long. */
const mixedPrefixLimit = 24 << 20;
/** How much of the old manifest a piece of the new one looks at beyond its own place, where it cannot look at all of it. */
const manifestSlack = 16 << 20;

/** Puts units together into frames: small ones share one, with what all of them look at as its prefix. */
export function planFrames(plan: BundlePlan): FrameGroup[] {
  const groups: FrameGroup[] = [];
  let group: FrameGroup | undefined;
  let prefixLength = 0;
  for (const { first, count, length, base } of plan.units) {
    const last = group?.prefix.at(-1);
    const known = base === undefined || (last !== undefined && contains(last, base));
    const added = known ? 0 : base.length;
    const frame = group?.frames.at(-1);
    const fits = frame !== undefined && frame.content + length <= bundleFrameLimit;
    const roomForPrefix =
      added === 0 || (prefixLength + added <= mixedPrefixLimit && (group?.prefix.length ?? 0) < bundlePrefixRanges);
    if (
      group !== undefined &&
      frame !== undefined &&
      fits &&
      roomForPrefix &&
      !(added > 0 && group.frames.length > 1)
    ) {
      if (added > 0 && base !== undefined) group.prefix.push(base);
      prefixLength += added;
      frame.chunks += count;
      frame.content += length;
    } else if (group !== undefined && base !== undefined && known && group.prefix.length === 1) {
      // More of one long file: its prefix stays, and need not be gathered again.
      group.frames.push({ first, chunks: count, content: length });
    } else {
      group = { prefix: base === undefined ? [] : [base], frames: [{ first, chunks: count, content: length }] };
      prefixLength = base?.length ?? 0;
      groups.push(group);
    }
  }
  return groups;
}

/** Pieces of the new manifest, each with the piece of the old one that it is compressed with. */
export function planManifestFrames(
  before: number,
  after: number,
): { offset: number; length: number; prefix: { offset: number; length: number } }[] {
  const pieces: { offset: number; length: number; prefix: { offset: number; length: number } }[] = [];
  for (let offset = 0; offset < after; offset += bundleFrameLimit) {
    const length = Math.min(bundleFrameLimit, after - offset);
    if (before <= bundlePrefixLimit) {
      pieces.push({ offset, length, prefix: { offset: 0, length: before } });
      continue;
    }
    const from = Math.max(0, Math.floor((before * offset) / after) - manifestSlack);
    const to = Math.min(
      before,
      Math.ceil((before * (offset + length)) / after) + manifestSlack,
      from + bundlePrefixLimit,
    );
    pieces.push({ offset, length, prefix: { offset: from, length: to - from } });
  }
  return pieces;
}

function contains(outer: BaseRange, inner: BaseRange): boolean {
  return (
    outer.entry === inner.entry &&
    outer.offset <= inner.offset &&
    inner.offset + inner.length <= outer.offset + outer.length
  );
}
