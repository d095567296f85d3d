import type { DataSegment, Entry, Timestamp } from './entry.ts';
import { type TarHeader, tarBlockSize } from './tar-header.ts';

/** Ends an archive: two blocks of zeros. */
export const tarEnd: Uint8Array = new Uint8Array(2 * tarBlockSize);

/** What a header block holds at most, in octal. */
const sizeLimit = 0o77777777777;
const idLimit = 0o7777777;
const nameLimit = 100;
/** A socket, which tar does not know: star's record says what it was, and who does not know that makes a FIFO. */
export const fileTypeRecord = 'SCHILY.filetype';

const flags = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
  socket: '6',
} as const satisfies Record<Entry['type'], string>;

/**
 * All that stands before an entry's content in a pax archive (POSIX.1-2017, with GNU's sparse format 1.0 for holes and
 * `SCHILY.xattr` for extended attributes, as GNU tar writes them): the same bytes for the same entry, always. The content follows:
 * the data of the chunks, joined, and then zeros up to a whole block (`tarPadding`). The root is `./`, all else as in the manifest.
 */
export function tarHeaders(entry: Entry): Buffer {
  const name = archiveName(entry);
  const map =
    entry.type === 'file' && entry.segments !== undefined ? sparseMap(entry.segments, entry.size ?? 0) : undefined;
  const stored = entry.type === 'file' ? dataLength(entry) + (map?.length ?? 0) : 0;
  const target = entry.type === 'symlink' || entry.type === 'hardlink' ? (entry.target ?? '') : '';
  const records: [keyword: string, value: string][] = [];
  const headerName = map === undefined ? name : sparseName(name);
  if (headerName.length > nameLimit) records.push(['path', headerName]);
  if (target.length > nameLimit) records.push(['linkpath', target]);
  if (entry.uid > idLimit) records.push(['uid', String(entry.uid)]);
  if (entry.gid > idLimit) records.push(['gid', String(entry.gid)]);
  if (!isPlain(entry.mtime)) records.push(['mtime', decimalSeconds(entry.mtime)]);
  if (stored > sizeLimit) records.push(['size', String(stored)]);
  if (entry.type === 'socket') records.push([fileTypeRecord, 'socket']);
  if (map !== undefined) {
    records.push(['GNU.sparse.major', '1'], ['GNU.sparse.minor', '0']);
    records.push(['GNU.sparse.name', name], ['GNU.sparse.realsize', String(entry.size ?? 0)]);
  }
  if (entry.type !== 'hardlink') {
    for (const { name: attribute, value } of entry.xattrs ?? []) {
      const keyword = `SCHILY.xattr.${attribute.replaceAll('%', '%25').replaceAll('=', '%3D')}`;
      records.push([keyword, Buffer.from(value).toString('latin1')]);
    }
  }
  const header = headerBlock({
    name: headerName,
    mode: entry.mode,
    uid: Math.min(entry.uid, idLimit),
    gid: Math.min(entry.gid, idLimit),
    size: stored > sizeLimit ? 0 : stored,
    mtime: Math.min(Math.max(entry.mtime.seconds, 0), sizeLimit),
    flag: flags[entry.type],
    linkName: target,
    major: entry.major ?? 0,
    minor: entry.minor ?? 0,
  });
  return Buffer.concat([...paxHeader(records), header, ...(map === undefined ? [] : [map])]);
}

/** Zeros from `length` bytes of content to the end of its last block. */
export function tarPadding(length: number): number {
  return (tarBlockSize - (length % tarBlockSize)) % tarBlockSize;
}

/**
 * A member that is a plain file of ours: mode 0644, owner 0, time 0 unless told (seconds since 1970). For archives that carry other files than a
 * tree's.
 */
export function plainTarHeader(name: string, size: number, type: 'file' | 'directory' = 'file', mtime = 0): Buffer {
  const mode = type === 'file' ? 0o644 : 0o755;
  const flag = flags[type];
  const header = headerBlock({ name, mode, uid: 0, gid: 0, size, mtime, flag, linkName: '', major: 0, minor: 0 });
  return name.length > nameLimit ? Buffer.concat([...paxHeader([['path', name]]), header]) : header;
}

/** Bytes of data that a file has: its chunks, holes not counted. */
export function dataLength({ chunks = [] }: Entry): number {
  return chunks.reduce((sum, { length }) => sum + length, 0);
}

function archiveName({ path, type }: Entry): string {
  if (path === '') return './';
  return type === 'directory' ? `${path}/` : path;
}

function sparseName(name: string): string {
  const slash = name.lastIndexOf('/');
  return `${name.slice(0, slash + 1)}GNUSparseFile.0/${name.slice(slash + 1)}`;
}

/** How many pairs, then offset and length of each, a line each; filled with zeros to whole blocks. An empty last pair marks the end. */
function sparseMap(segments: readonly DataSegment[], size: number): Buffer {
  const last = segments.at(-1);
  const endsInHole = last === undefined || last.offset + last.length < size;
  const pairs = endsInHole ? [...segments, { offset: size, length: 0 }] : segments;
  const text = `${pairs.length}\n${pairs.map(({ offset, length }) => `${offset}\n${length}\n`).join('')}`;
  return padded(Buffer.from(text, 'latin1'));
}

function paxHeader(records: readonly (readonly [keyword: string, value: string])[]): Buffer[] {
  if (records.length === 0) return [];
  const content = Buffer.from(records.map(([keyword, value]) => paxRecord(keyword, value)).join(''), 'latin1');
  const name = 'PaxHeaders/entry';
  const fields = { mode: 0o644, uid: 0, gid: 0, mtime: 0, flag: 'x', linkName: '', major: 0, minor: 0 };
  return [headerBlock({ name, size: content.length, ...fields }), padded(content)];
}

/** `LENGTH KEYWORD=VALUE\n`, the length counting itself. */
function paxRecord(keyword: string, value: string): string {
  const rest = keyword.length + value.length + 3;
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return `${length} ${keyword}=${value}\n`;
}

/** As pax has it: −0.5 is half a second before 1970. */
function decimalSeconds({ seconds, nanoseconds }: Timestamp): string {
  const back = seconds < 0 && nanoseconds > 0;
  const whole = back ? seconds + 1 : seconds;
  const fraction = (back ? 1e9 - nanoseconds : nanoseconds).toString().padStart(9, '0').replace(/0+$/, '');
  const sign = seconds < 0 && whole === 0 ? '-' : '';
  return `${sign}${whole}${fraction === '' ? '' : `.${fraction}`}`;
}

function isPlain({ seconds, nanoseconds }: Timestamp): boolean {
  return nanoseconds === 0 && seconds >= 0 && seconds <= sizeLimit;
}

/** What a header is written from. */
type HeaderFields = Omit<TarHeader, 'gnu'>;

/** A length that octal digits cannot say is written in base 256, as GNU tar does. */
function headerBlock(fields: HeaderFields): Buffer {
  const block = Buffer.alloc(tarBlockSize);
  const octal = (value: number, at: number, length: number) =>
    block.write(value.toString(8).padStart(length - 1, '0'), at, length - 1, 'latin1');
  block.write(fields.name, 0, nameLimit, 'latin1');
  octal(fields.mode, 100, 8);
  octal(fields.uid, 108, 8);
  octal(fields.gid, 116, 8);
  if (fields.size <= sizeLimit) octal(fields.size, 124, 12);
  else {
    block[124] = 0x80;
    block.writeBigUInt64BE(BigInt(fields.size), 128);
  }
  octal(fields.mtime, 136, 12);
  block.write(fields.flag, 156, 1, 'latin1');
  block.write(fields.linkName, 157, nameLimit, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  octal(fields.major, 329, 8);
  octal(fields.minor, 337, 8);
  block.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(tarPadding(bytes.length))]);
}
