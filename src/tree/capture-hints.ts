import type { RawPath } from '../foundation/brand.ts';
import type { FileStatus } from '../native/status.ts';

/**
 * What the file system said of each entry of a version when it was captured, beside what the manifest has: enough to know
 * later that an entry did not change, and with names and a memo that a whole tree did not. Private to this store; docs/image-format.md.
 *
 * `imprhnt2`, length of the memo, number of rows, length of the names (4 bytes each); the memo; padding to four bytes; rows in manifest order; names:
 * for each entry its depth (2), the length (2) of its last name, and that.
 */

const magic = Buffer.from('imprhnt2', 'latin1');
const headLength = 20;
/** Numbers of 32 bits in a row: inode (2), ctime seconds (2) and nanoseconds, device, the seal of all else that a status says. */
export const rowWords = 7;
const rowLength = rowWords * 4;
/** Bytes before each name. */
export const nameHead = 4;
/** A change within this many seconds before the look at a file may not show in its times: such a row is left blank. */
const unsettledSeconds = 2;
/** Rows of a part, and bytes of names: a megabyte or less. A name has 65,535 bytes at most. */
const partRows = 32_768;
const partNames = 1 << 20;

/** Differs a seal of what has other content than its own. */
export const substituteMark = 0x5a5a_5a5a;

/** Gathers the rows of a capture. */
export class HintWriter {
  /** Parts that are full, and the one being filled: what grows by copying takes three times the memory while it does. */
  readonly #rowParts: Uint32Array[] = [];
  #rows = new Uint32Array(rowWords * partRows);
  #count = 0;
  readonly #nameParts: Buffer[] = [];
  #names = Buffer.alloc(partNames);
  #namesUsed = 0;
  #namesLength = 0;
  /** Every row was settled, and came with its path: the whole tree can be known again. */
  #whole = true;

  /**
   * `now`: seconds since 1970 when the entry was looked at. Without a status the row is blank. `path`: absent where the tree need
   * not be known again as a whole. `substituted`: the entry has other content than the file; such a row never matches by itself.
   */
  add(status: FileStatus | undefined, now: number, path?: RawPath, substituted = false): void {
    const at = (this.#count % partRows) * rowWords;
    if (at === 0 && this.#count > 0) {
      this.#rowParts.push(this.#rows);
      this.#rows = new Uint32Array(rowWords * partRows);
    }
    // FAT says nought of when its root directory changed.
    const settled = status !== undefined && status.ctimeSeconds + unsettledSeconds < now && status.ctimeSeconds !== 0;
    if (settled) {
      putRow(this.#rows, at, status);
      if (substituted) this.#rows[at + 6] = (this.#rows[at + 6] as number) ^ substituteMark;
    }
    this.#count += 1;
    if (!settled || path === undefined) this.#whole = false;
    if (path !== undefined && this.#whole) this.#addName(path);
  }

  /** To be called once; parts to be joined. `memo`: whatever the capture wants to know when the whole tree is found unchanged. */
  take(memo?: string): Uint8Array[] {
    const whole = this.#whole && memo !== undefined;
    const memoBytes = Buffer.from(whole ? memo : '', 'utf8');
    const head = Buffer.alloc(align(headLength + memoBytes.length));
    magic.copy(head);
    head.writeUInt32LE(memoBytes.length, 8);
    head.writeUInt32LE(this.#count, 12);
    head.writeUInt32LE(whole ? this.#namesLength : 0, 16);
    memoBytes.copy(head, headLength);
    const lastRows = this.#rows.subarray(0, (this.#count - this.#rowParts.length * partRows) * rowWords);
    const rows = [...this.#rowParts, lastRows].map((part) => new Uint8Array(part.buffer, 0, part.byteLength));
    const names = whole ? [...this.#nameParts, this.#names.subarray(0, this.#namesUsed)] : [];
    return [head, ...rows, ...names].filter((part) => part.length > 0);
  }

  #addName(path: RawPath): void {
    const { depth, name } = lastOf(path);
    const length = nameHead + name.length;
    if (this.#namesUsed + length > this.#names.length) {
      this.#nameParts.push(this.#names.subarray(0, this.#namesUsed));
      this.#names = Buffer.alloc(partNames);
      this.#namesUsed = 0;
    }
    this.#names.writeUInt16LE(depth, this.#namesUsed);
    this.#names.writeUInt16LE(name.length, this.#namesUsed + 2);
    this.#names.write(name, this.#namesUsed + nameHead, 'latin1');
    this.#namesUsed += length;
    this.#namesLength += length;
  }
}

/** Reads the rows of an earlier capture; rows that are not there, or damaged, match nothing. */
export class HintReader {
  readonly rows: Uint32Array;
  /** See `HintWriter`; empty where the tree cannot be known as a whole. */
  readonly names: Buffer;
  readonly memo: string;
  readonly #row = new Uint32Array(rowWords);

  constructor(content: Uint8Array | undefined) {
    const given = content ?? new Uint8Array(0);
    const bytes = Buffer.from(given.buffer, given.byteOffset, given.length);
    const known = bytes.length >= headLength && bytes.subarray(0, magic.length).equals(magic);
    const memoLength = known ? bytes.readUInt32LE(8) : 0;
    const count = known ? bytes.readUInt32LE(12) : 0;
    const namesLength = known ? bytes.readUInt32LE(16) : 0;
    const rowsAt = align(headLength + memoLength);
    const good = known && bytes.length === rowsAt + count * rowLength + namesLength;
    const rowsEnd = rowsAt + (good ? count * rowLength : 0);
    this.memo = good ? bytes.toString('utf8', headLength, headLength + memoLength) : '';
    this.rows = good ? asWords(bytes.subarray(rowsAt, rowsEnd)) : new Uint32Array(0);
    this.names = good ? bytes.subarray(rowsEnd) : Buffer.alloc(0);
  }

  /** Whether the entry of this row is, by its inode and the time of its last change of any kind, what it was. */
  matches(row: number, status: FileStatus): boolean {
    const { rows } = this;
    const at = row * rowWords;
    if (at + rowWords > rows.length || status.inode === 0n) return false;
    putRow(this.#row, 0, status);
    for (let word = 0; word < rowWords; word += 1) if (rows[at + word] !== this.#row[word]) return false;
    return true;
  }
}

function putRow(rows: Uint32Array, at: number, status: FileStatus): void {
  const { ctimeSeconds, mtimeSeconds, size } = status;
  rows[at] = Number(status.inode & 0xffff_ffffn);
  rows[at + 1] = Number(status.inode >> 32n);
  rows[at + 2] = ctimeSeconds;
  rows[at + 3] = Math.floor(ctimeSeconds / 0x1_0000_0000);
  rows[at + 4] = status.ctimeNanoseconds;
  rows[at + 5] = status.device;
  let seal = mix(mix(mix(0, status.mode), status.uid), status.gid);
  seal = mix(mix(seal, size), Math.floor(size / 0x1_0000_0000));
  seal = mix(mix(seal, mtimeSeconds), Math.floor(mtimeSeconds / 0x1_0000_0000));
  rows[at + 6] = mix(seal, status.mtimeNanoseconds);
}

/** A number of 32 bits mixed into another: enough to see by accident that one of them differs. */
export function mix(seal: number, value: number): number {
  const mixed = Math.imul(seal ^ value, 0x9e37_79b1);
  return mixed ^ (mixed >>> 15);
}

function lastOf(path: RawPath): { depth: number; name: string } {
  if (path === '') return { depth: 0, name: '' };
  let depth = 1;
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) depth += 1;
  return { depth, name: path.slice(path.lastIndexOf('/') + 1) };
}

/** A view where the bytes lie so that one can be; else a copy. */
function asWords(bytes: Uint8Array): Uint32Array {
  const { buffer, byteOffset, length } = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  return new Uint32Array(buffer, byteOffset, length / 4);
}

function align(length: number): number {
  return (length + 3) & ~3;
}
