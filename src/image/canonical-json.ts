import { FormatError } from './format-error.ts';

/**
 * One value, one text: keys sorted by their UTF-16 units, no white space, numbers and strings as `JSON.stringify` writes
 * them (RFC 8785). Fields that are undefined are left out. What a signature covers.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const fields = value as Record<string, unknown>;
    const parts = Object.keys(fields)
      .filter((key) => fields[key] !== undefined)
      .toSorted()
      .map((key) => `${JSON.stringify(key)}:${canonicalJson(fields[key])}`);
    return `{${parts.join(',')}}`;
  }
  if (typeof value === 'number' && !Number.isFinite(value)) throw new RangeError('JSON has no such number');
  const text = JSON.stringify(value);
  if (text === undefined) throw new TypeError('JSON has no such value');
  return text;
}

/** The value of canonical JSON, given as bytes (UTF-8) or text. Any other spelling of the value is a `FormatError`. */
export function parseCanonicalJson(source: Uint8Array | string): unknown {
  try {
    const text =
      typeof source === 'string' ? source : new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(source);
    const value: unknown = JSON.parse(text);
    if (canonicalJson(value) === text) return value;
  } catch (cause) {
    throw new FormatError('it is not canonical JSON', { cause });
  }
  throw new FormatError('it is not canonical JSON');
}
