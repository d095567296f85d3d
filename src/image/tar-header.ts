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
  if (block[0] === 0 && block.every((byte) => byte === 0)) return 'end';
  if (!hasItsChecksum(block)) return { problem: 'a header’s checksum is wrong' };
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
  let value = 0;
  let digits = 0;
  let ended = false;
  for (let index = at; index < at + length; index += 1) {
    const byte = block[index] ?? 0;
    if (byte === 0) break;
    if (byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)) ended = digits > 0;
    else if (ended || byte < 0x30 || byte > 0x37) return undefined;
    else {
      value = value * 8 + (byte - 0x30);
      digits += 1;
    }
  }
  return value;
}

function text(block: Buffer, at: number, length: number): string {
  const end = block.indexOf(0, at);
  return block.toString('latin1', at, end < 0 || end > at + length ? at + length : end);
}

/** Whether the header holds the sum of its bytes, with the checksum's own field as spaces; old archives summed signed bytes. */
function hasItsChecksum(block: Buffer): boolean {
  const wanted = number(block, 148, 8);
  let sum = 8 * 0x20;
  for (let index = 0; index < 148; index += 1) sum += block[index] ?? 0;
  for (let index = 156; index < tarBlockSize; index += 1) sum += block[index] ?? 0;
  if (wanted === sum) return true;
  let high = 0;
  for (let index = 0; index < tarBlockSize; index += 1) {
    if ((index < 148 || index >= 156) && (block[index] ?? 0) > 127) high += 1;
  }
  return wanted === sum - high * 256;
}
