import type { Timestamp } from './entry.ts';
import { FormatError } from './format-error.ts';

/**
 * A FAT32 file system as bytes, laid out the same way each time (Microsoft's “FAT32 File System Specification” 1.03; long names as
 * VFAT has them). For what firmware reads: small trees, everything in memory.
 */

/** A file or directory; a directory has children. Times are kept to two seconds, 1980 to 2107. */
export interface FatNode {
  /** UTF-16 units as VFAT keeps them. */
  name: string;
  modified: Timestamp;
  content?: Uint8Array;
  children?: readonly FatNode[];
}

export interface FatVolume {
  /** Bytes: at least 33 MiB, so that it is FAT32. */
  size: number;
  /** 8 hexadecimal digits. */
  volumeId: string;
  /** At most 11 characters of `A-Z 0-9 _ -`. */
  label: string;
  root: readonly FatNode[];
}

/** A piece of the volume; what lies between pieces is zeros. */
export interface FatPiece {
  offset: number;
  bytes: Uint8Array;
}

const sector = 512;
const reservedSectors = 32;
const rowLength = 32;
const lastCluster = 0x0fffffff;
const leastClusters = 65_525;
/** Of a row: read-only, hidden, system and label together mark a part of a long name. */
const attributes = { label: 0x08, longName: 0x0f, directory: 0x10, archive: 0x20 } as const;

/** Throws a `FormatError` for what FAT cannot hold, a `RangeError` where the volume is too small. */
export function buildFat32(volume: FatVolume): FatPiece[] {
  return new Builder(volume).build();
}

class Builder {
  readonly #volume: FatVolume;
  readonly #sectors: number;
  readonly #sectorsPerCluster: number;
  readonly #fatSectors: number;
  readonly #clusters: number;
  readonly #table: Buffer;
  readonly #pieces: FatPiece[] = [];
  #next = 2;

  constructor(volume: FatVolume) {
    this.#volume = volume;
    this.#sectors = Math.floor(volume.size / sector);
    this.#sectorsPerCluster = clusterSectors(volume.size);
    const cluster = this.#sectorsPerCluster * sector;
    // Each cluster needs itself and four bytes in each of the two tables.
    this.#fatSectors = Math.ceil(((this.#sectors - reservedSectors + 2 * this.#sectorsPerCluster) * 4) / (cluster + 8));
    this.#clusters = Math.floor((this.#sectors - reservedSectors - 2 * this.#fatSectors) / this.#sectorsPerCluster);
    if (this.#clusters < leastClusters) throw new RangeError(`${volume.size} bytes are too little for FAT32`);
    this.#table = Buffer.alloc(this.#fatSectors * sector);
    this.#table.writeUInt32LE(0x0ffffff8, 0);
    this.#table.writeUInt32LE(lastCluster, 4);
  }

  build(): FatPiece[] {
    const { root, label } = this.#volume;
    const rows = labelRow(label);
    const first = this.#reserve(directoryLength(root, rows.length));
    this.#writeDirectory(root, first, undefined, rows);
    const boot = this.#bootSector();
    const information = this.#information();
    for (const backup of [0, 6]) {
      this.#pieces.push(
        { offset: backup * sector, bytes: boot },
        { offset: (backup + 1) * sector, bytes: information },
      );
    }
    for (const copy of [0, 1]) {
      this.#pieces.push({ offset: (reservedSectors + copy * this.#fatSectors) * sector, bytes: this.#table });
    }
    return this.#pieces;
  }

  /** Takes clusters for so many bytes, one after another. Returns the first; 0 for none. */
  #reserve(bytes: number): number {
    const count = Math.ceil(bytes / (this.#sectorsPerCluster * sector));
    if (count === 0) return 0;
    const first = this.#next;
    if (first + count > this.#clusters + 2) throw new RangeError('the volume is full');
    for (let index = 0; index < count; index += 1) {
      const at = first + index;
      this.#table.writeUInt32LE(index === count - 1 ? lastCluster : at + 1, at * 4);
    }
    this.#next += count;
    return first;
  }

  #writeDirectory(children: readonly FatNode[], first: number, parent: number | undefined, head: Buffer): void {
    const names = shortNames(children);
    const parts = [head];
    children.forEach((child, index) => {
      const short = names[index] as Buffer;
      let start = 0;
      if (child.children === undefined) {
        const content = child.content ?? new Uint8Array(0);
        if (content.length >= 2 ** 32) throw new FormatError(`${child.name} is too long for FAT`);
        start = this.#reserve(content.length);
        if (start > 0) this.#pieces.push({ offset: this.#offsetOf(start), bytes: content });
      } else {
        start = this.#reserve(directoryLength(child.children, 2 * rowLength));
        // The root directory is cluster 0 to those in it.
        const above = parent === undefined ? 0 : first;
        const dots = Buffer.concat([
          row(dotName('.'), attributes.directory, child.modified, start, 0),
          row(dotName('..'), attributes.directory, child.modified, above, 0),
        ]);
        this.#writeDirectory(child.children, start, first, dots);
      }
      const kind = child.children === undefined ? attributes.archive : attributes.directory;
      parts.push(longRows(child.name, short), row(short, kind, child.modified, start, child.content?.length ?? 0));
    });
    this.#pieces.push({ offset: this.#offsetOf(first), bytes: Buffer.concat(parts) });
  }

  #offsetOf(cluster: number): number {
    return (reservedSectors + 2 * this.#fatSectors + (cluster - 2) * this.#sectorsPerCluster) * sector;
  }

  #bootSector(): Buffer {
    const bytes = Buffer.alloc(sector);
    // A jump over the fields, to an endless loop: nobody starts this sector.
    bytes.set([0xeb, 0x58, 0x90], 0);
    bytes.write('IMPRINT ', 3, 'latin1');
    bytes.writeUInt16LE(sector, 11);
    bytes[13] = this.#sectorsPerCluster;
    bytes.writeUInt16LE(reservedSectors, 14);
    bytes[16] = 2;
    bytes[21] = 0xf8;
    bytes.writeUInt16LE(63, 24);
    bytes.writeUInt16LE(255, 26);
    bytes.writeUInt32LE(this.#sectors, 32);
    bytes.writeUInt32LE(this.#fatSectors, 36);
    bytes.writeUInt32LE(2, 44);
    bytes.writeUInt16LE(1, 48);
    bytes.writeUInt16LE(6, 50);
    bytes[64] = 0x80;
    bytes[66] = 0x29;
    bytes.writeUInt32LE(Number.parseInt(this.#volume.volumeId, 16), 67);
    bytes.write(this.#volume.label.padEnd(11), 71, 'latin1');
    bytes.write('FAT32   ', 82, 'latin1');
    bytes.set([0xeb, 0xfe], 90);
    bytes.set([0x55, 0xaa], 510);
    return bytes;
  }

  #information(): Buffer {
    const bytes = Buffer.alloc(sector);
    bytes.writeUInt32LE(0x41615252, 0);
    bytes.writeUInt32LE(0x61417272, 484);
    bytes.writeUInt32LE(this.#clusters - (this.#next - 2), 488);
    bytes.writeUInt32LE(this.#next - 1, 492);
    bytes.set([0x55, 0xaa], 510);
    return bytes;
  }
}

/** As Microsoft's table has it, but never so large that there would be too few clusters for FAT32. */
function clusterSectors(size: number): number {
  const gibibyte = 2 ** 30;
  if (size < 260 * 2 ** 20) return 1;
  if (size < 8 * gibibyte) return 8;
  return size < 16 * gibibyte ? 16 : 32;
}

function directoryLength(children: readonly FatNode[], head: number): number {
  const rows = children.reduce((sum, { name }) => sum + 1 + Math.ceil(name.length / 13), 0);
  // One row more: the end is a row of zeros.
  return head + (rows + 1) * rowLength;
}

function labelRow(label: string): Buffer {
  return row(Buffer.from(label.padEnd(11), 'latin1'), attributes.label, { seconds: 315_532_800, nanoseconds: 0 }, 0, 0);
}

function dotName(name: string): Buffer {
  return Buffer.from(name.padEnd(11), 'latin1');
}

function row(short: Buffer, kind: number, { seconds }: Timestamp, cluster: number, size: number): Buffer {
  const bytes = Buffer.alloc(rowLength);
  short.copy(bytes);
  bytes[11] = kind;
  const { date, time } = fatTime(seconds);
  bytes.writeUInt16LE(time, 14);
  bytes.writeUInt16LE(date, 16);
  bytes.writeUInt16LE(date, 18);
  bytes.writeUInt16LE(cluster >>> 16, 20);
  bytes.writeUInt16LE(time, 22);
  bytes.writeUInt16LE(date, 24);
  bytes.writeUInt16LE(cluster & 0xffff, 26);
  bytes.writeUInt32LE(size, 28);
  return bytes;
}

/** Rows of a long name, the last part first. Every name gets them, so that its letters keep their case. */
function longRows(name: string, short: Buffer): Buffer {
  if (name.length > 255 || /[\x00-\x1f"*/:<>?\\|]/.test(name) || /[. ]$/.test(name)) {
    throw new FormatError(`FAT cannot hold a file named “${name}”`);
  }
  let sum = 0;
  for (const byte of short) sum = (((sum & 1) << 7) + (sum >> 1) + byte) & 0xff;
  const count = Math.ceil(name.length / 13);
  const rows = Array.from({ length: count }, (_, index) => {
    const bytes = Buffer.alloc(rowLength, 0xff);
    bytes[0] = (index + 1) | (index === count - 1 ? 0x40 : 0);
    bytes[11] = attributes.longName;
    bytes[12] = 0;
    bytes[13] = sum;
    bytes.writeUInt16LE(0, 26);
    for (let unit = 0; unit < 13; unit += 1) {
      const at = index * 13 + unit;
      if (at > name.length) break;
      bytes.writeUInt16LE(at === name.length ? 0 : name.charCodeAt(at), unitOffset(unit));
    }
    return bytes;
  });
  return Buffer.concat(rows.reverse());
}

function unitOffset(unit: number): number {
  if (unit < 5) return 1 + unit * 2;
  return unit < 11 ? 14 + (unit - 5) * 2 : 28 + (unit - 11) * 2;
}

/** Names of 8 and 3 characters, different within the directory. Throws where two names differ in nothing but case. */
function shortNames(children: readonly FatNode[]): Buffer[] {
  const long = new Set<string>();
  const taken = new Set<string>();
  return children.map(({ name }) => {
    const upper = name.toUpperCase();
    if (long.has(upper)) throw new FormatError(`to FAT “${name}” and another name beside it are the same`);
    long.add(upper);
    const dot = upper.lastIndexOf('.');
    const clean = (part: string) => part.replaceAll(/[^A-Z0-9_$~!#%&\-{}()@'`^]/g, '');
    const stem = clean(dot > 0 ? upper.slice(0, dot) : upper);
    const ending = clean(dot > 0 ? upper.slice(dot + 1) : '').slice(0, 3);
    let short = `${stem.slice(0, 8).padEnd(8)}${ending.padEnd(3)}`;
    const fits = stem !== '' && stem.length <= 8 && `${stem}${ending === '' ? '' : `.${ending}`}` === upper;
    for (let number = 1; (!fits && number === 1) || taken.has(short); number += 1) {
      const tail = `~${number}`;
      short = `${`${stem.slice(0, 8 - tail.length)}${tail}`.padEnd(8)}${ending.padEnd(3)}`;
    }
    taken.add(short);
    return Buffer.from(short, 'latin1');
  });
}

function fatTime(seconds: number): { date: number; time: number } {
  const moment = new Date(seconds * 1000);
  const year = moment.getUTCFullYear();
  if (year < 1980) return { date: 0x21, time: 0 };
  if (year > 2107) return { date: 0xff9f, time: 0xbf7d };
  return {
    date: ((year - 1980) << 9) | ((moment.getUTCMonth() + 1) << 5) | moment.getUTCDate(),
    time: (moment.getUTCHours() << 11) | (moment.getUTCMinutes() << 5) | (moment.getUTCSeconds() >> 1),
  };
}
