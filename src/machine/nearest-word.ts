/**
 * The word of a list that was most likely meant: the one with the fewest letters typed wrongly, missing, too many or swapped, where these
 * are at most a third of it; undefined where none comes near.
 */
export function nearestWord(typed: string, words: readonly string[]): string | undefined {
  const plain = typed.toLowerCase().replaceAll(/[-_]/g, '');
  const ranked = words
    .map((word) => ({ word, distance: distanceOf(plain, word.toLowerCase().replaceAll(/[-_]/g, '')) }))
    .sort((left, right) => left.distance - right.distance);
  const [best] = ranked;
  if (best === undefined) return undefined;
  const allowed = Math.max(1, Math.floor(Math.max(plain.length, best.word.length) / 3));
  return best.distance <= allowed ? best.word : undefined;
}

/** `, did you mean “partitions”?`, or nothing. */
export function didYouMean(typed: string, words: readonly string[]): string {
  const word = nearestWord(typed, words);
  return word === undefined ? '' : `, did you mean “${word}”?`;
}

/** Optimal string alignment: the edit distance that counts two swapped neighbours once. */
function distanceOf(left: string, right: string): number {
  const rows: number[][] = [Array.from({ length: right.length + 1 }, (_, index) => index)];
  for (let i = 1; i <= left.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= right.length; j += 1) {
      const cost = left[i - 1] === right[j - 1] ? 0 : 1;
      let best = Math.min((rows[i - 1]?.[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (rows[i - 1]?.[j - 1] ?? 0) + cost);
      const swapped = i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1];
      if (swapped) best = Math.min(best, (rows[i - 2]?.[j - 2] ?? 0) + 1);
      row.push(best);
    }
    rows.push(row);
  }
  return rows[left.length]?.[right.length] ?? Number.POSITIVE_INFINITY;
}
