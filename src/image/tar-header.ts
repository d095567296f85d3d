/**
 * One 512-byte header block of a tar archive: POSIX.1-2017 “pax Interchange Format”, and what GNU tar adds to it
 * (https://www.gnu.org/software/tar/manual/html_node/Standard.html).
 */

export const tarBlockSize = 512;

export interface TarHeader {
  /** Latin1 of its bytes, prefix joined. */
  name: string;
  mode: number;
  uid: number;
  gid: number;
  /** Bytes of content in the archive. */
  size: number;
  mtime: number;
  /** `0` file, `1` hard link, `2` symlink, `5` directory, `x` pax records …; NUL came as `0`. */
  flag: string;
  linkName: string;
  major: number;
  minor: number;
  /** Whether the block has GNU's magic: its tail then holds no prefix. */
  gnu: boolean;
}

/** The header in `block`; `end` for a block of zeros; otherwise what is wrong with it. */
export function parseTarHeader(block: Buffer): TarHeader | 'end' | { problem: string } {
  if (block.every((byte) => byte === 0)) return 'end';
  const sums = checksums(block);
  const wanted = number(block, 148, 8);
  if (wanted === undefined || !sums.includes(wanted)) return { problem: 'a header’s checksum is wrong' };
  const magic = block.toString('latin1', 257, 263);
  const gnu = magic === 'ustar ';
  const posix = magic === 'ustar\0';
  const fields = {
    mode: number(block, 100, 8),
    uid: number(block, 108, 8),
    gid: number(block, 116, 8),
    size: number(block, 124, 12),
    mtime: number(block, 136, 12),
    major: gnu || posix ? number(block, 329, 8) : 0,
    minor: gnu || posix ? number(block, 337, 8) : 0,
  };
  for (const [field, value] of Object.entries(fields)) {
    if (value === undefined) return { problem: `a header’s ${field} is not a number` };
  }
  const { mode = 0, uid = 0, gid = 0, size = 0, mtime = 0, major = 0, minor = 0 } = fields;
  if (size < 0) return { problem: 'a header’s size is negative' };
  const prefix = posix ? text(block, 345, 155) : '';
  const name = text(block, 0, 100);
  const flag = block[156] === 0 || block[156] === undefined ? '0' : String.fromCharCode(block[156]);
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    mode: mode & 0o7777,
    uid,
    gid,
    size,
    mtime,
    flag,
    linkName: text(block, 157, 100),
    major,
    minor,
    gnu,
  };
}

/** Offset and length pairs of GNU's old sparse format: in the header from byte 386 (4), in each further block from 0 (21). */
export function parseOldSparse(block: Buffer, from: number, count: number): [offset: number, length: number][] {
  const pairs: [number, number][] = [];
  for (let index = 0; index < count; index += 1) {
    const at = from + index * 24;
    if (block[at] === 0) break;
    pairs.push([number(block, at, 12) ?? -1, number(block, at + 12, 12) ?? -1]);
  }
  return pairs;
}

/** GNU's old sparse format: whether another block of pairs follows, and the file's real size. */
export function oldSparseFields(block: Buffer): { extended: boolean; realSize: number } {
  return { extended: block[482] === 1, realSize: number(block, 483, 12) ?? -1 };
}

/** Octal digits, or base 256 where the first bit is set (GNU); undefined where it is neither, or too large. */
function number(block: Buffer, at: number, length: number): number | undefined {
  const first = block[at] ?? 0;
  if (first & 0x80) {
    let value = first === 0xff ? -1n : BigInt(first & 0x7f);
    for (let index = at + 1; index < at + length; index += 1) value = (value << 8n) | BigInt(block[index] ?? 0);
    const result = Number(value);
    return Number.isSafeInteger(result) ? result : undefined;
  }
  const digits = block
    .toString('latin1', at, at + length)
    .replace(/\0.*$/s, '')
    .trim();
  if (digits === '') return 0;
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : undefined;
}

function text(block: Buffer, at: number, length: number): string {
  const field = block.toString('latin1', at, at + length);
  const end = field.indexOf('\0');
  return end < 0 ? field : field.slice(0, end);
}

/** The sum of the block's bytes with the checksum's own field as spaces; old archives summed signed bytes. */
function checksums(block: Buffer): [unsigned: number, signed: number] {
  let unsigned = 0;
  let high = 0;
  for (let index = 0; index < tarBlockSize; index += 1) {
    const byte = index >= 148 && index < 156 ? 0x20 : (block[index] ?? 0);
    unsigned += byte;
    if (byte > 127) high += 1;
  }
  return [unsigned, unsigned - high * 256];
}
