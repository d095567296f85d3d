const units: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** Milliseconds from `90s`, `30m`, `12h`, `7d`, `8w`, or a bare `0`. Undefined where the text is no span. */
export function parseDuration(text: string): number | undefined {
  const match = /^\s*(\d{1,9}(?:\.\d+)?)\s*([smhdw])\s*$/i.exec(text);
  if (match) return Math.round(Number(match[1]) * (units[(match[2] ?? '').toLowerCase()] ?? 0));
  return text.trim() === '0' ? 0 : undefined;
}
