/** Sizes in bytes: as people write them (`20G`, `512MiB`) and as they read them (`1.2 GiB`). */

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'] as const;

/** `1536` → `1.5 KiB`; three significant digits at most. */
export function formatBytes(bytes: number): string {
  let value = Math.abs(bytes);
  let unit = 0;
  while (value >= 1023.5 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  const text = digits === 0 ? value.toFixed(0) : value.toFixed(digits).replace(/\.?0+$/, '');
  return `${bytes < 0 ? '-' : ''}${text} ${units[unit]}`;
}

/**
 * Bytes from `512`, `20G`, `1.5GiB`, `100 MB`; the letters K, M, G, T, P mean powers of 1024, as in sfdisk and lvm,
 * unless they are followed by a lone `B` (`MB` = 10⁶). Undefined where the text is no size.
 */
export function parseBytes(text: string): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(?:([kmgtp])(i?b)?|b)?\s*$/i.exec(text);
  if (!match) return undefined;
  const power = match[2] ? 'kmgtp'.indexOf(match[2].toLowerCase()) + 1 : 0;
  const base = match[3]?.toLowerCase() === 'b' ? 1000 : 1024;
  return Math.round(Number(match[1]) * base ** power);
}
