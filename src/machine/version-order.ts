/**
 * Order of version texts as people read them: runs of digits as numbers, `~` before everything (also before the end), letters before
 * other signs. `6.1.0-9` < `6.1.0-10`; `6.2~rc1` < `6.2`. Negative where `left` is the older.
 */
export function compareVersions(left: string, right: string): number {
  const a = left.match(/\d+|\D/g) ?? [];
  const b = right.match(/\d+|\D/g) ?? [];
  for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
    const difference = compareParts(a[index], b[index]);
    if (difference !== 0) return difference;
  }
  return 0;
}

function compareParts(a: string | undefined, b: string | undefined): number {
  const weightOfA = weight(a);
  const weightOfB = weight(b);
  if (weightOfA !== weightOfB) return weightOfA - weightOfB;
  if (a === undefined || b === undefined) return 0;
  if (weightOfA === 4) return Number(a) - Number(b);
  return a < b ? -1 : a > b ? 1 : 0;
}

function weight(part: string | undefined): number {
  if (part === '~') return 0;
  if (part === undefined) return 1;
  if (/^[A-Za-z]$/.test(part)) return 2;
  return /^\d/.test(part) ? 4 : 3;
}
