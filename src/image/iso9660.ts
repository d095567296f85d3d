import { FormatError } from './format-error.ts';

/**
 * The names in an ISO 9660 file system (ECMA-119; Rock Ridge: IEEE P1282 and SUSP P1281; Joliet), read where they are wanted: directories that nobody asks for are not
 * looked at, so a whole DVD costs a few sectors. As GRUB does: names are those of Rock Ridge, else of Joliet, else plain ones in small letters.
 */
export interface IsoNames {
  /** Label. */
  volume: string;
  /** What is in the directories that were asked for, as paths with a slash in front. */
  paths: Set<string>;
  /** Bytes of a file, where it lies in one piece; undefined where there is no such file. */
  place(path: string): { position: number; length: number } | undefined;
}

/** Gives bytes of the file; fewer where it ends. */
export type ReadAt = (position: number, length: number) => Uint8Array;

const sector = 2048;
const firstDescriptor = 16;
const mostDescriptors = 32;
/** A directory of more is none of what tells systems apart. */
const longestDirectory = 4 << 20;
const mostContinuations = 16;

/** Reads names. `directories` are paths with a slash in front; the root is always read. Throws a `FormatError` for what is no ISO. */
export function readIsoNames(read: ReadAt, directories: Iterable<string>): IsoNames {
  const volume = openVolume(read);
  const paths = new Set<string>();
  const lists = new Map<string, ReadonlyMap<string, Extent>>();
  const list = (path: string): ReadonlyMap<string, Extent> => {
    const known = lists.get(path);
    if (known !== undefined) return known;
    const extent = path === '' ? volume.root : find(path);
    const entries = extent === undefined ? new Map<string, Extent>() : volume.list(extent);
    lists.set(path, entries);
    for (const name of entries.keys()) paths.add(`${path}/${name}`);
    return entries;
  };
  const entryOf = (path: string): Extent | undefined => {
    const cut = path.lastIndexOf('/');
    return list(path.slice(0, cut)).get(path.slice(cut + 1));
  };
  const find = (path: string): Extent | undefined => {
    const found = entryOf(path);
    return found?.isDirectory === true ? found : undefined;
  };
  list('');
  for (const directory of directories) list(directory.replace(/\/+$/, ''));
  return {
    volume: volume.label,
    paths,
    place(path) {
      const found = entryOf(path);
      if (found === undefined || found.isDirectory) return undefined;
      return { position: found.block * sector, length: found.length };
    },
  };
}

interface Extent {
  block: number;
  length: number;
  isDirectory: boolean;
}

interface Volume {
  label: string;
  root: Extent;
  list(extent: Extent): Map<string, Extent>;
}

function openVolume(read: ReadAt): Volume {
  let primary: Buffer | undefined;
  let joliet: Buffer | undefined;
  for (let index = 0; index < mostDescriptors; index += 1) {
    const bytes = Buffer.from(read((firstDescriptor + index) * sector, sector));
    if (bytes.length < sector || bytes.toString('latin1', 1, 6) !== 'CD001') break;
    if (bytes[0] === 255) break;
    if (bytes[0] === 1) primary ??= bytes;
    // Escape sequences of UCS-2, levels 1 to 3.
    if (bytes[0] === 2 && /^%\/[@CE]/.test(bytes.toString('latin1', 88, 91))) joliet ??= bytes;
  }
  if (primary === undefined) throw new FormatError('it is no ISO file');
  const label = primary.toString('latin1', 40, 72).trim();
  const rootOf = (descriptor: Buffer) => extentOf(descriptor.subarray(156, 190));
  const skip = rockRidge(read, rootOf(primary));
  if (skip !== undefined)
    return volumeWith(read, label, rootOf(primary), (record) => rockRidgeName(read, record, skip) ?? plainName(record));
  if (joliet !== undefined) return volumeWith(read, label, rootOf(joliet), jolietName);
  return volumeWith(read, label, rootOf(primary), plainName);
}

function volumeWith(read: ReadAt, label: string, root: Extent, nameOf: (record: Buffer) => string): Volume {
  return {
    label,
    root,
    list(extent) {
      const found = new Map<string, Extent>();
      for (const record of recordsOf(read, extent)) {
        const name = nameOf(record);
        // Of a file in several extents the first speaks for all.
        if (name !== '' && !name.includes('/') && !found.has(name)) found.set(name, extentOf(record));
      }
      return found;
    },
  };
}

/** Records of a directory but for itself and the one above. */
function recordsOf(read: ReadAt, { block, length }: Extent, withDots = false): Buffer[] {
  const bytes = Buffer.from(read(block * sector, Math.min(length, longestDirectory)));
  const records: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = bytes[at] ?? 0;
    // None crosses the end of a sector: zeros fill it up.
    if (size === 0) {
      at = (Math.floor(at / sector) + 1) * sector;
      continue;
    }
    const record = bytes.subarray(at, at + size);
    at += size;
    if (record.length < 34 || 33 + (record[32] ?? 0) > record.length) break;
    const isDot = record[32] === 1 && (record[33] ?? 255) < 2;
    if (!isDot || withDots) records.push(record);
  }
  return records;
}

function extentOf(record: Buffer): Extent {
  if (record.length < 33) throw new FormatError('its directory is damaged');
  return { block: record.readUInt32LE(2), length: record.readUInt32LE(10), isDirectory: ((record[25] ?? 0) & 2) !== 0 };
}

/** Bytes to skip in each record's system use area, where the root says that there is Rock Ridge; else undefined. */
function rockRidge(read: ReadAt, root: Extent): number | undefined {
  const [self] = recordsOf(read, root, true);
  if (self === undefined) return undefined;
  const area = systemUse(self, 0);
  if (area.length < 7 || area.toString('latin1', 0, 2) !== 'SP' || area[4] !== 0xbe || area[5] !== 0xef)
    return undefined;
  return area[6] ?? 0;
}

function systemUse(record: Buffer, skip: number): Buffer {
  const name = record[32] ?? 0;
  // The name is filled up so that the area begins at an even byte.
  const start = 33 + name + (name % 2 === 0 ? 1 : 0) + skip;
  return record.subarray(start);
}

function rockRidgeName(read: ReadAt, record: Buffer, skip: number): string | undefined {
  let name: Buffer | undefined;
  let area = systemUse(record, skip);
  for (let rounds = 0; rounds < mostContinuations; rounds += 1) {
    let next: Buffer | undefined;
    for (let at = 0; at + 4 <= area.length; ) {
      const size = area[at + 2] ?? 0;
      if (size < 4 || at + size > area.length) break;
      const field = area.subarray(at, at + size);
      const kind = field.toString('latin1', 0, 2);
      if (kind === 'NM' && size >= 5) name = Buffer.concat([name ?? Buffer.alloc(0), field.subarray(5)]);
      if (kind === 'CE' && size >= 28) {
        const position = field.readUInt32LE(4) * sector + field.readUInt32LE(12);
        next = Buffer.from(read(position, Math.min(field.readUInt32LE(20), sector)));
      }
      if (kind === 'ST') break;
      at += size;
    }
    if (next === undefined) break;
    area = next;
  }
  return name?.toString('utf8');
}

function jolietName(record: Buffer): string {
  const bytes = Buffer.from(record.subarray(33, 33 + ((record[32] ?? 0) & ~1)));
  return withoutVersion(bytes.swap16().toString('utf16le'));
}

function plainName(record: Buffer): string {
  return withoutVersion(record.toString('latin1', 33, 33 + (record[32] ?? 0))).toLowerCase();
}

/** `NAME.EXT;1` → `NAME.EXT`, `NAME.;1` → `NAME`. */
function withoutVersion(name: string): string {
  return name.replace(/;\d+$/, '').replace(/\.$/, '');
}
