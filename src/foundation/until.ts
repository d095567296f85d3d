/** Ends of periods, as people give them. */

const unitSeconds: Readonly<Record<string, number>> = { h: 3600, d: 86_400, w: 604_800, y: 31_557_600 };
/** Years beyond this cannot be written in ISO 8601 with four digits. */
const latest = Date.UTC(9999, 11, 31);

/**
 * A time (ISO 8601, UTC) from `12h`, `90d`, `8w`, `1y` counted from `now` (milliseconds since 1970), or from a date (`2027-01-31`, whose end is
 * meant) or a time (`2027-01-31T12:00:00Z`). Undefined where the text is none of these, or has passed.
 */
export function parseUntil(text: string, now: number): string | undefined {
  const span = /^(\d{1,6})([hdwy])$/.exec(text.trim());
  const date = /^(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}(?::\d{2})?Z)?$/.exec(text.trim());
  let time = Number.NaN;
  if (span) time = now + Number(span[1]) * (unitSeconds[span[2] ?? ''] ?? 0) * 1000;
  else if (date) time = Date.parse(`${date[1]}${date[2] ?? 'T23:59:59Z'}`);
  if (!(time > now) || time > latest) return undefined;
  return new Date(Math.floor(time / 1000) * 1000).toISOString().replace('.000Z', 'Z');
}
