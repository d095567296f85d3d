/** How many versions to keep of each kind of period; absent: none for that reason. */
export interface KeepRules {
  last?: number | undefined;
  hourly?: number | undefined;
  daily?: number | undefined;
  weekly?: number | undefined;
  monthly?: number | undefined;
  yearly?: number | undefined;
  /** Milliseconds: all that are younger. */
  within?: number | undefined;
}

/** A version as the rules see it. */
export interface DatedVersion {
  number: number;
  /** Milliseconds since 1970. */
  created: number;
  /** Why it stays whatever the rules say: tags, machines. */
  held: readonly string[];
}

export interface RetentionDecision {
  number: number;
  /** Why it stays, for people; empty: it goes. */
  reasons: string[];
}

const periods: readonly (readonly [
  kind: 'hourly' | 'daily' | 'weekly' | 'monthly' | 'yearly',
  of: (time: Date) => string,
])[] = [
  ['hourly', (time) => time.toISOString().slice(0, 13)],
  ['daily', (time) => time.toISOString().slice(0, 10)],
  ['weekly', isoWeek],
  ['monthly', (time) => time.toISOString().slice(0, 7)],
  ['yearly', (time) => time.toISOString().slice(0, 4)],
];

/**
 * Which versions of one image stay, and why; newest first. Of each hour, day, ISO week, month or year (UTC) the newest version counts, for as many
 * periods that have a version as the rule says. The newest version of all always stays: the next capture builds on it.
 */
export function decideRetention(versions: readonly DatedVersion[], rules: KeepRules, now: number): RetentionDecision[] {
  const newestFirst = versions.toSorted((left, right) => right.created - left.created || right.number - left.number);
  const reasons = new Map<number, string[]>(newestFirst.map(({ number, held }) => [number, [...held]]));
  const keep = (number: number | undefined, reason: string) => {
    if (number !== undefined) reasons.get(number)?.push(reason);
  };
  keep(newestFirst[0]?.number, 'newest');
  for (const { number } of newestFirst.slice(0, rules.last ?? 0)) keep(number, 'last');
  for (const { number, created } of newestFirst)
    if (rules.within !== undefined && created > now - rules.within) keep(number, 'recent');
  for (const [kind, of] of periods) {
    const seen = new Set<string>();
    for (const { number, created } of newestFirst) {
      const period = of(new Date(created));
      if (seen.has(period)) continue;
      if (seen.size >= (rules[kind] ?? 0)) break;
      seen.add(period);
      keep(number, kind);
    }
  }
  return newestFirst.map(({ number }) => ({ number, reasons: reasons.get(number) ?? [] }));
}

/** `2026-W47`: weeks begin on Monday, and belong to the year of their Thursday. */
function isoWeek(time: Date): string {
  const day = 86_400_000;
  const weekday = (time.getUTCDay() + 6) % 7;
  const thursday = new Date(time.getTime() + (3 - weekday) * day);
  const year = thursday.getUTCFullYear();
  const week = Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / (7 * day)) + 1;
  return `${year}-W${String(week).padStart(2, '0')}`;
}
