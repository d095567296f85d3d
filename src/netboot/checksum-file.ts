/** Files with checksums, as distributions lay them beside their ISO files (sha256sum(1), both forms). */

export type ChecksumKind = 'sha256' | 'sha512';

export interface Checksum {
  kind: ChecksumKind;
  /** Hexadecimal, lower case. */
  hex: string;
}

/** Names under which the checksum of a file may lie beside it, the most particular first. */
export function checksumNames(name: string, beside: readonly string[]): string[] {
  const own = [`${name}.sha256`, `${name}.sha256sum`, `${name}.sha256.txt`, `${name}.sha512`, `${name}.sha512sum`];
  const lists = beside.filter((each) => /^(sha256sums?|sha512sums?|checksums?)(\.txt)?$|-CHECKSUM$/i.test(each)).sort();
  return [...own.filter((each) => beside.includes(each)), ...lists];
}

/** What such a file says of `name`; a file that holds one checksum and no name speaks of the file that it is named after. */
export function findChecksum(text: string, name: string): Checksum | undefined {
  for (const line of text.split(/\r?\n/)) {
    const gnu = /^\\?([0-9a-f]{64}|[0-9a-f]{128}) [ *](?:.*\/)?([^/]+)$/i.exec(line);
    if (gnu?.[2] === name) return checksum(gnu[1]);
    const bsd = /^SHA(256|512) \((?:.*\/)?([^/]+)\) = ([0-9a-f]+)$/i.exec(line);
    if (bsd?.[2] === name) return checksum(bsd[3]);
  }
  const alone = /^([0-9a-f]{64}|[0-9a-f]{128})\s*$/i.exec(text);
  return alone === null ? undefined : checksum(alone[1]);
}

/** The bytes of an OpenPGP block in ASCII armor (RFC 9580, 6.2), undefined for what is none. */
export function dearmor(text: string): Buffer | undefined {
  const match =
    /-----BEGIN PGP [A-Z ]+-----\r?\n(?:[^\n]*: [^\n]*\n)*\s*\n([A-Za-z0-9+/=\s]+?)(?:\n=[A-Za-z0-9+/]{4})?\s*-----END PGP/.exec(
      text,
    );
  return match?.[1] === undefined ? undefined : Buffer.from(match[1], 'base64');
}

function checksum(hex = ''): Checksum | undefined {
  if (hex.length === 64) return { kind: 'sha256', hex: hex.toLowerCase() };
  return hex.length === 128 ? { kind: 'sha512', hex: hex.toLowerCase() } : undefined;
}
