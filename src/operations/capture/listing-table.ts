import type { RawPath } from '../../foundation/brand.ts';
import type { ListedPath } from '../../machine/golden-listing.ts';

/** What became of a row while its content was read. */
export const rowStates = { untouched: 0, wanted: 1, known: 2, fetched: 3 } as const;
export type RowState = (typeof rowStates)[keyof typeof rowStates];

const pageShift = 14;
const pageRows = 1 << pageShift;
/**
 * One row: page of the path (u32), where it begins there (u32), its length (u32), type (u8), state (u8), device (u16), mode, uid, gid, links
 * (u32), nanoseconds of both times (u32), size, seconds of both times (f64), inode (u64).
 */
const rowWidth = 72;
const pathPageBytes = 1 << 20;

/**
 * The listing of a whole machine in some 140 bytes for each path: a million paths as objects would take a gigabyte. Filled in any order,
 * then sealed: rows come in manifest order, and are found by their path.
 */
export class ListingTable {
  readonly #rows: Buffer[] = [];
  readonly #paths: Buffer[] = [];
  readonly #devices: string[] = [];
  #pathUsed = pathPageBytes;
  #length = 0;
  #order = new Uint32Array(0);
  #slots = new Int32Array(0);

  get length(): number {
    return this.#length;
  }

  add(listed: ListedPath): void {
    const at = (this.#length & (pageRows - 1)) * rowWidth;
    if (at === 0) this.#rows.push(Buffer.alloc(pageRows * rowWidth));
    const page = this.#rows.at(-1) as Buffer;
    const { path } = listed;
    const [pathPage, pathAt] = this.#addPath(path);
    page.writeUInt32LE(pathPage, at);
    page.writeUInt32LE(pathAt, at + 4);
    page.writeUInt32LE(path.length, at + 8);
    page[at + 12] = listed.type.charCodeAt(0);
    page.writeUInt16LE(this.#deviceIndex(listed.device), at + 14);
    page.writeUInt32LE(listed.mode, at + 16);
    page.writeUInt32LE(listed.uid, at + 20);
    page.writeUInt32LE(listed.gid, at + 24);
    page.writeUInt32LE(listed.links, at + 28);
    page.writeUInt32LE(listed.mtime.nanoseconds, at + 32);
    page.writeUInt32LE(listed.ctime.nanoseconds, at + 36);
    page.writeDoubleLE(listed.size, at + 40);
    page.writeDoubleLE(listed.mtime.seconds, at + 48);
    page.writeDoubleLE(listed.ctime.seconds, at + 56);
    page.writeBigUInt64LE(BigInt(listed.inode), at + 64);
    this.#length += 1;
  }

  /** To be called once all was added. */
  seal(): void {
    this.#order = Uint32Array.from({ length: this.#length }, (_, row) => row).sort((left, right) =>
      this.#compare(left, right),
    );
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(this.#length * 2 + 2))).fill(-1);
    for (let row = 0; row < this.#length; row += 1) {
      let slot = this.#slotOf(this.#path(row));
      while (this.#slots[slot] !== -1) slot = (slot + 1) & (this.#slots.length - 1);
      this.#slots[slot] = row;
    }
  }

  /** Row numbers in manifest order. */
  get order(): Uint32Array {
    return this.#order;
  }

  /** The row of a path, -1 where there is none. */
  find(path: RawPath): number {
    const bytes = Buffer.from(path, 'latin1');
    for (let slot = this.#slotOf(bytes); ; slot = (slot + 1) & (this.#slots.length - 1)) {
      const row = this.#slots[slot] ?? -1;
      if (row < 0 || this.#path(row).equals(bytes)) return row;
    }
  }

  path(row: number): RawPath {
    return this.#path(row).toString('latin1') as RawPath;
  }

  state(row: number): RowState {
    const { page, at } = this.#place(row);
    return page[at + 13] as RowState;
  }

  setState(row: number, state: RowState): void {
    const { page, at } = this.#place(row);
    page[at + 13] = state;
  }

  listed(row: number): ListedPath {
    const { page, at } = this.#place(row);
    return {
      path: this.path(row),
      type: String.fromCharCode(page[at + 12] as number),
      mode: page.readUInt32LE(at + 16),
      uid: page.readUInt32LE(at + 20),
      gid: page.readUInt32LE(at + 24),
      size: page.readDoubleLE(at + 40),
      mtime: { seconds: page.readDoubleLE(at + 48), nanoseconds: page.readUInt32LE(at + 32) },
      ctime: { seconds: page.readDoubleLE(at + 56), nanoseconds: page.readUInt32LE(at + 36) },
      inode: page.readBigUInt64LE(at + 64).toString(),
      device: this.#devices[page.readUInt16LE(at + 14)] ?? '',
      links: page.readUInt32LE(at + 28),
    };
  }

  /** Whether a path is listed as the row has it, in every respect. */
  isSame(row: number, listed: ListedPath): boolean {
    const { page, at } = this.#place(row);
    return (
      page.readUInt32LE(at + 36) === listed.ctime.nanoseconds &&
      page.readDoubleLE(at + 56) === listed.ctime.seconds &&
      page[at + 12] === listed.type.charCodeAt(0) &&
      page.readDoubleLE(at + 40) === listed.size &&
      page.readUInt32LE(at + 16) === listed.mode &&
      page.readUInt32LE(at + 20) === listed.uid &&
      page.readUInt32LE(at + 24) === listed.gid &&
      page.readUInt32LE(at + 28) === listed.links &&
      page.readUInt32LE(at + 32) === listed.mtime.nanoseconds &&
      page.readDoubleLE(at + 48) === listed.mtime.seconds &&
      page.readBigUInt64LE(at + 64) === BigInt(listed.inode) &&
      this.#devices[page.readUInt16LE(at + 14)] === listed.device
    );
  }

  #addPath(path: RawPath): [number, number] {
    if (this.#pathUsed + path.length > (this.#paths.at(-1)?.length ?? 0)) {
      this.#paths.push(Buffer.alloc(Math.max(pathPageBytes, path.length)));
      this.#pathUsed = 0;
    }
    const at = this.#pathUsed;
    this.#paths.at(-1)?.write(path, at, 'latin1');
    this.#pathUsed += path.length;
    return [this.#paths.length - 1, at];
  }

  #deviceIndex(device: string): number {
    const index = this.#devices.lastIndexOf(device);
    return index >= 0 ? index : this.#devices.push(device) - 1;
  }

  #place(row: number): { page: Buffer; at: number } {
    return { page: this.#rows[row >> pageShift] as Buffer, at: (row & (pageRows - 1)) * rowWidth };
  }

  /** The bytes of a row's path; not a copy. */
  #path(row: number): Buffer {
    const { page, at } = this.#place(row);
    const from = page.readUInt32LE(at + 4);
    return (this.#paths[page.readUInt32LE(at)] as Buffer).subarray(from, from + page.readUInt32LE(at + 8));
  }

  /** As `comparePaths`: the slash is the smallest byte. */
  #compare(left: number, right: number): number {
    const [a, b] = [this.#path(left), this.#path(right)];
    const shorter = Math.min(a.length, b.length);
    for (let index = 0; index < shorter; index += 1) {
      const [one, other] = [a[index] as number, b[index] as number];
      if (one !== other) return (one === 0x2f ? -1 : one) - (other === 0x2f ? -1 : other);
    }
    return a.length - b.length;
  }

  /** FNV-1a. */
  #slotOf(path: Uint8Array): number {
    let hash = 0x811c9dc5;
    for (let index = 0; index < path.length; index += 1) hash = Math.imul(hash ^ (path[index] as number), 0x01000193);
    return (hash ^ (hash >>> 15)) & (this.#slots.length - 1);
  }
}
