import type { Timestamp } from './entry.ts';
import { FormatError } from './format-error.ts';

/**
 * Reads FAT12, FAT16 and FAT32, for kernels without the driver (Microsoft's “FAT32 File System Specification” 1.03). Nothing of it is
 * believed: chains may loop, tables may lie.
 */

/** A file or directory as the kernel's vfat would show it. */
export interface FatEntry {
  /** UTF-8 as latin1 of its bytes, relative to the root, which is not among the entries. */
  path: string;
  directory: boolean;
  modified: Timestamp;
  readOnly: boolean;
  /** Bytes; 0 for directories. */
  size: number;
  /** Where the content lies, in order: together at least `size` bytes. */
  runs: { offset: number; length: number }[];
}

/** Bytes of the volume; shorter only at its end. */
export type ReadBytes = (offset: number, length: number) => Buffer;

/** A volume whose boot sector fits together. Bytes. */
export interface FatVolumeFound {
  /** 12, 16 or 32. */
  bits: number;
  read: ReadBytes;
  clusterBytes: number;
  clusters: number;
  dataOffset: number;
  /** What the table says of a cluster: the next one, 0 for a free one. */
  next(cluster: number): number;
  root: { cluster: number } | { offset: number; length: number };
}

const rowLength = 32;
const mostEntries = 200_000;
const deepest = 64;
const mostDirectoryBytes = 65_536 * rowLength;

/** Every file and directory, a directory before what is in it. Throws a `FormatError`. */
export function readFat(read: ReadBytes): FatEntry[] {
  const volume = openVolume(read);
  const found: FatEntry[] = [];
  const seen = new Set<number>();
  const visit = (bytes: Buffer, above: string, depth: number) => {
    if (depth > deepest) throw new FormatError('its directories are too deep');
    for (const { name, row } of rowsOf(bytes)) {
      if (found.length >= mostEntries) throw new FormatError('it holds too many files');
      const cluster = row.readUInt16LE(20) * 65_536 + row.readUInt16LE(26);
      const attributes = row[11] ?? 0;
      const directory = (attributes & 0x10) !== 0;
      const entry: FatEntry = {
        path: above === '' ? name : `${above}/${name}`,
        directory,
        modified: timeOf(row),
        readOnly: (attributes & 1) !== 0,
        size: directory ? 0 : row.readUInt32LE(28),
        runs: [],
      };
      found.push(entry);
      if (!directory) {
        entry.runs = runsOf(volume, cluster, entry.size);
        continue;
      }
      if (seen.has(cluster)) throw new FormatError('a directory lies in itself');
      seen.add(cluster);
      visit(directoryBytes(volume, cluster), entry.path, depth + 1);
    }
  };
  const { root } = volume;
  visit('cluster' in root ? directoryBytes(volume, root.cluster) : read(root.offset, root.length), '', 0);
  return found;
}

/** Reads boot sector and table. Throws a `FormatError`. */
export function openVolume(read: ReadBytes): FatVolumeFound {
  const boot = read(0, 512);
  if (boot.length < 512) throw new FormatError('it is too short');
  const sector = boot.readUInt16LE(11);
  const perCluster = boot[13] ?? 0;
  const reserved = boot.readUInt16LE(14);
  const tables = boot[16] ?? 0;
  const rootRows = boot.readUInt16LE(17);
  const sectors = boot.readUInt16LE(19) || boot.readUInt32LE(32);
  const tableSectors = boot.readUInt16LE(22) || boot.readUInt32LE(36);
  const isPower = (value: number) => value > 0 && (value & (value - 1)) === 0;
  if (![512, 1024, 2048, 4096].includes(sector) || !isPower(perCluster) || tables < 1 || tables > 4 || reserved < 1) {
    throw new FormatError('it has no boot sector of FAT');
  }
  const rootOffset = (reserved + tables * tableSectors) * sector;
  const dataOffset = rootOffset + Math.ceil((rootRows * rowLength) / sector) * sector;
  const clusterBytes = perCluster * sector;
  const clusters = Math.floor((sectors * sector - dataOffset) / clusterBytes);
  if (clusters < 1 || clusters > 0x0ffffff5) throw new FormatError('its boot sector does not fit together');
  const bits = clusters < 4085 ? 12 : clusters < 65_525 ? 16 : 32;
  const tableBytes = Math.min(tableSectors * sector, Math.ceil(((clusters + 2) * bits) / 8) + 1);
  const table = read(reserved * sector, tableBytes);
  const next = (cluster: number): number => {
    const at = Math.floor((cluster * bits) / 8);
    if (at + (bits === 32 ? 4 : 2) > table.length) throw new FormatError('its table is too short');
    if (bits === 32) return table.readUInt32LE(at) & 0x0fffffff;
    const pair = table.readUInt16LE(at);
    if (bits === 16) return pair;
    return cluster % 2 === 0 ? pair & 0xfff : pair >> 4;
  };
  const root = bits === 32 ? { cluster: boot.readUInt32LE(44) } : { offset: rootOffset, length: rootRows * rowLength };
  return { bits, read, clusterBytes, clusters, dataOffset, next, root };
}

/** Where the chain from a cluster on lies, as far as `size` bytes need it. */
function runsOf(volume: FatVolumeFound, first: number, size: number): FatEntry['runs'] {
  const { clusterBytes, clusters, dataOffset } = volume;
  const runs: FatEntry['runs'] = [];
  let cluster = first;
  for (let length = 0, steps = 0; length < size; length += clusterBytes, steps += 1) {
    if (cluster < 2 || cluster >= clusters + 2) throw new FormatError('a file ends before its length');
    if (steps > clusters) throw new FormatError('a chain of clusters has no end');
    const offset = dataOffset + (cluster - 2) * clusterBytes;
    const last = runs.at(-1);
    if (last !== undefined && last.offset + last.length === offset) last.length += clusterBytes;
    else runs.push({ offset, length: clusterBytes });
    cluster = volume.next(cluster);
  }
  return runs;
}

/** A directory's clusters to the end of their chain. */
function directoryBytes(volume: FatVolumeFound, first: number): Buffer {
  const { clusterBytes, clusters, dataOffset, read } = volume;
  const parts: Buffer[] = [];
  let length = 0;
  for (let cluster = first; cluster >= 2 && cluster < clusters + 2; cluster = volume.next(cluster)) {
    parts.push(read(dataOffset + (cluster - 2) * clusterBytes, clusterBytes));
    length += clusterBytes;
    if (length > mostDirectoryBytes) throw new FormatError('a directory has no end');
  }
  return Buffer.concat(parts);
}

/** Rows that name something, with their long names where they have one that belongs to them. */
function* rowsOf(bytes: Buffer): Generator<{ name: string; row: Buffer }> {
  let parts: { order: number; sum: number; text: string }[] = [];
  for (let at = 0; at + rowLength <= bytes.length; at += rowLength) {
    const row = bytes.subarray(at, at + rowLength);
    const [first = 0] = row;
    if (first === 0) return;
    const attributes = row[11] ?? 0;
    if (first === 0xe5) {
      parts = [];
    } else if ((attributes & 0x3f) === 0x0f) {
      if ((first & 0x40) !== 0) parts = [];
      parts.unshift({ order: first & 0x3f, sum: row[13] ?? 0, text: longPart(row) });
    } else {
      const name = longName(parts, row) ?? shortName(row);
      parts = [];
      // A label, the directory itself and the one above are nothing of their own.
      if ((attributes & 0x08) !== 0 || name === '.' || name === '..') continue;
      const raw = Buffer.from(name, 'utf8').toString('latin1');
      if (name === '' || raw.length > 255 || /[/\0]/.test(name))
        throw new FormatError('a file has a name that cannot be');
      yield { name: raw, row };
    }
  }
}

function longPart(row: Buffer): string {
  const units: number[] = [];
  for (const [from, to] of [
    [1, 11],
    [14, 26],
    [28, 32],
  ] as const) {
    for (let at = from; at < to; at += 2) units.push(row.readUInt16LE(at));
  }
  const end = units.indexOf(0);
  return String.fromCharCode(...(end < 0 ? units : units.slice(0, end)));
}

/** The parts joined, where they are complete and belong to this row. */
function longName(parts: readonly { order: number; sum: number; text: string }[], row: Buffer): string | undefined {
  let sum = 0;
  for (const byte of row.subarray(0, 11)) sum = (((sum & 1) << 7) + (sum >> 1) + byte) & 0xff;
  const whole = parts.length > 0 && parts.every((part, index) => part.order === index + 1 && part.sum === sum);
  return whole ? parts.map(({ text }) => text).join('') : undefined;
}

/** As the kernel shows short names by default (`shortname=mixed`): as they are, in lower case where the row says so. */
function shortName(row: Buffer): string {
  const flags = row[12] ?? 0;
  const part = (from: number, to: number, lower: boolean) => {
    const text = row.toString('latin1', from, to).replace(/ +$/, '');
    return lower ? text.toLowerCase() : text;
  };
  const stem = part(0, 8, (flags & 0x08) !== 0).replace(/^\x05/, '\xe5');
  const ending = part(8, 11, (flags & 0x10) !== 0);
  return ending === '' ? stem : `${stem}.${ending}`;
}

/** Local time without a zone, taken as UTC: what the kernel does on a machine whose clock runs in UTC. */
function timeOf(row: Buffer): Timestamp {
  const time = row.readUInt16LE(22);
  const date = row.readUInt16LE(24);
  const moment = Date.UTC(
    1980 + (date >> 9),
    Math.max(0, ((date >> 5) & 15) - 1),
    Math.max(1, date & 31),
    time >> 11,
    (time >> 5) & 63,
    (time & 31) * 2,
  );
  return { seconds: Math.floor(moment / 1000), nanoseconds: 0 };
}
