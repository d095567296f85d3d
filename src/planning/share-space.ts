/** How much of something is wanted. */
export interface SpaceWish {
  /** Bytes, a multiple of the unit. */
  min: number;
  max: number;
  /** 0: no more than `min`. */
  weight: number;
}

/**
 * Shares `total` bytes: each gets as much as its weight says, but never less than its `min` nor more than its `max`, in whole units. What
 * nobody may take is left over, as is what would break the equality of equal weights (less than a unit for each). Undefined where the
 * minimums do not fit.
 */
export function shareSpace(total: number, wishes: readonly SpaceWish[], unit: number): number[] | undefined {
  const least = wishes.reduce((sum, { min }) => sum + min, 0);
  if (least > total) return undefined;
  const sizes = wishes.map(({ min, max, weight }) => (weight > 0 && max > min ? undefined : min));
  // As in the flexible boxes of CSS: of those that left their bounds, only the side that weighs more is settled in each round.
  for (;;) {
    const open = wishes.flatMap((wish, index) => (sizes[index] === undefined ? [{ wish, index }] : []));
    if (open.length === 0) break;
    const left = total - sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
    const weights = open.reduce((sum, { wish }) => sum + wish.weight, 0);
    const shares = open.map(({ wish, index }) => {
      const share = (left * wish.weight) / weights;
      return { index, share, bounded: Math.min(Math.max(share, wish.min), wish.max) };
    });
    const violation = shares.reduce((sum, { share, bounded }) => sum + bounded - share, 0);
    for (const { index, share, bounded } of shares) {
      const settled = Math.abs(violation) < unit / 1000 || (violation > 0 ? bounded > share : bounded < share);
      if (settled) sizes[index] = Math.floor(bounded / unit + 1e-9) * unit;
    }
  }
  return sizes.map((size) => size ?? 0);
}
