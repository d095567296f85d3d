import type { RawPath } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import { ByteReader } from './byte-reader.ts';
import type { DataSegment, EntryType, ExtendedAttribute, Timestamp } from './entry.ts';
import { oldSparseFields, parseOldSparse, parseTarHeader, type TarHeader, tarBlockSize } from './tar-header.ts';
import { hasTextAcl, type PaxRecords, parsePaxRecords, paxAttributes } from './tar-pax.ts';
import { parseSparseList, parseSparseMap, sparseSegments } from './tar-sparse.ts';
import { fileTypeRecord } from './tar-writer.ts';
import { parseDecimalSeconds } from './timestamp.ts';

export type TarMemberType = EntryType;

/** One member of an archive, with all that its headers said. */
export interface TarMember {
  /** As written, without a `/` at its end: `./etc/passwd`. */
  path: RawPath;
  type: TarMemberType;
  mode: number;
  uid: number;
  gid: number;
  mtime: Timestamp;
  /** Where the archive has it (GNU tar writes it in pax archives). */
  ctime?: Timestamp;
  /** Sorted by name, as the kernel has them. */
  xattrs: ExtendedAttribute[];
  /** Files: length in bytes, holes counted. */
  size: number;
  /** Files with holes: where the data lies. */
  segments?: DataSegment[];
  /** Symlinks and hard links. */
  target: RawPath;
  major: number;
  minor: number;
  /** Bytes that `content` holds: the segments joined. */
  storedSize: number;
  /** It has an ACL that only text says, with names of users: not among `xattrs`. */
  textAcl: boolean;
  /** Where in the archive it begins, in bytes. */
  offset: number;
  /** Read it at most once, before asking for the next member; what is not read is passed over. The pieces are not kept by us. */
  content(): AsyncIterable<Uint8Array>;
}

const types: Readonly<Record<string, TarMemberType>> = {
  '0': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
  '7': 'file',
  S: 'file',
};
/** No path, attribute or pax header is longer; a longer one is damage, not memory to be filled. */
const headerLimit = 64 << 20;

/**
 * The members of a tar archive, as they come: POSIX pax and ustar, GNU (long names, sparse files old, 0.0, 0.1 and 1.0,
 * base 256), V7. Holds one header at a time; content is streamed.
 *
 * @param name for people, in errors.
 * Errors: `tar-invalid`, also where the archive stops before its end.
 */
export async function* readTar(source: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<TarMember, void, void> {
  const reader = new TarReader(source, name);
  try {
    for (let member = await reader.next(); member !== undefined; member = await reader.next()) yield member;
  } finally {
    await reader.close();
  }
}

class TarReader {
  readonly #bytes: ByteReader;
  readonly #name: string;
  readonly #globals = new Map<string, string>();
  /** Content and padding of the member before that were not read yet. */
  #content = 0;
  #padding = 0;

  constructor(source: AsyncIterable<Uint8Array>, name: string) {
    this.#bytes = new ByteReader(source);
    this.#name = name;
  }

  close(): Promise<void> {
    return this.#bytes.close();
  }

  async next(): Promise<TarMember | undefined> {
    if (!(await this.#bytes.skip(this.#content + this.#padding))) throw this.#bad('it stops inside a file');
    this.#content = 0;
    this.#padding = 0;
    let records: PaxRecords = { values: new Map(), repeated: [] };
    let longName: string | undefined;
    let longLink: string | undefined;
    for (;;) {
      const block = await this.#block();
      const header = parseTarHeader(block);
      if (header === 'end') return undefined;
      if ('problem' in header) throw this.#bad(header.problem);
      if (header.flag === 'L') longName = cString(await this.#meta(header.size));
      else if (header.flag === 'K') longLink = cString(await this.#meta(header.size));
      else if (header.flag === 'x') records = this.#records(await this.#meta(header.size));
      else if (header.flag === 'g') {
        for (const [keyword, value] of this.#records(await this.#meta(header.size)).values) {
          this.#globals.set(keyword, value);
        }
      } else {
        const named = { ...header, name: longName ?? header.name, linkName: longLink ?? header.linkName };
        const member = await this.#member(named, block, records);
        if (member !== undefined) return member;
        // A type that we do not know: its content is passed over, as POSIX asks for vendors' types.
        if (!(await this.#bytes.skip(padded(header.size)))) throw this.#bad('it stops inside a file');
        records = { values: new Map(), repeated: [] };
        longName = undefined;
        longLink = undefined;
      }
    }
  }

  async #member(header: TarHeader, block: Buffer, records: PaxRecords): Promise<TarMember | undefined> {
    const values = this.#globals.size === 0 ? records.values : new Map([...this.#globals, ...records.values]);
    const value = (keyword: string) => values.get(keyword);
    const number = (keyword: string, otherwise: number): number => {
      const digits = values.get(keyword);
      if (digits === undefined) return otherwise;
      const result = Number(digits);
      if (!/^-?\d+$/.test(digits) || !Number.isSafeInteger(result)) throw this.#bad(`its ${keyword} is not a number`);
      return result;
    };
    const written = value('GNU.sparse.name') ?? value('path') ?? header.name;
    const type = header.flag === '0' && written.endsWith('/') ? 'directory' : types[header.flag];
    if (type === undefined) return undefined;
    const socket = type === 'fifo' && value(fileTypeRecord) === 'socket';
    const stored = type === 'file' || header.flag === '0' ? number('size', header.size) : 0;
    if (stored < 0) throw this.#bad('a size is negative');
    const { segments, size, content } = await this.#sparse(header, block, records, values, stored);
    this.#content = content;
    this.#padding = padded(stored) - stored;
    const mtime = this.#moment(value('mtime')) ?? { seconds: header.mtime, nanoseconds: 0 };
    const ctime = this.#moment(value('ctime'));
    return {
      path: withoutSlash(written) as RawPath,
      type: socket ? 'socket' : type,
      mode: header.mode,
      uid: number('uid', header.uid),
      gid: number('gid', header.gid),
      mtime,
      ...(ctime === undefined ? {} : { ctime }),
      xattrs: paxAttributes(values),
      textAcl: hasTextAcl(values),
      size,
      ...(segments === undefined ? {} : { segments }),
      target: (value('linkpath') ?? header.linkName) as RawPath,
      major: number('SCHILY.devmajor', header.major),
      minor: number('SCHILY.devminor', header.minor),
      storedSize: content,
      offset: this.#bytes.offset,
      content: () => this.#read(),
    };
  }

  /** What of the `stored` bytes that follow is content (a sparse map comes first), the real size, and where data lies. */
  async #sparse(
    header: TarHeader,
    block: Buffer,
    records: PaxRecords,
    values: ReadonlyMap<string, string>,
    stored: number,
  ): Promise<{ segments?: DataSegment[]; size: number; content: number }> {
    let pairs: [number, number][] | undefined;
    let content = stored;
    let size = Number(values.get('GNU.sparse.realsize') ?? values.get('GNU.sparse.size') ?? stored);
    if (header.flag === 'S') {
      pairs = parseOldSparse(block, 386, 4);
      const fields = oldSparseFields(block);
      size = fields.realSize;
      for (let more = fields.extended; more; ) {
        const extension = await this.#block();
        pairs.push(...parseOldSparse(extension, 0, 21));
        more = extension[504] === 1;
      }
    } else if (values.get('GNU.sparse.major') === '1') {
      const map = await this.#sparseMap(stored);
      pairs = map.pairs;
      content = stored - map.blocks * tarBlockSize;
    } else if (values.has('GNU.sparse.map')) {
      pairs = parseSparseList(values.get('GNU.sparse.map') ?? '');
    } else if (values.has('GNU.sparse.size')) {
      const numbers = records.repeated.map(([, digits]) => digits).join(',');
      pairs = parseSparseList(numbers);
    } else {
      return { size: stored, content: stored };
    }
    const segments = pairs && Number.isSafeInteger(size) ? sparseSegments(pairs, size, content) : undefined;
    if (segments === undefined) throw this.#bad('the map of a sparse file is wrong');
    const [first] = segments;
    const whole = segments.length === 1 && first?.offset === 0 && first.length === size;
    return whole || size === 0 ? { size, content } : { segments, size, content };
  }

  async #sparseMap(stored: number): Promise<{ pairs: [number, number][]; blocks: number }> {
    const blocks: Buffer[] = [];
    let newlines = 0;
    let wanted = 1;
    while (newlines < wanted) {
      if ((blocks.length + 1) * tarBlockSize > Math.min(stored, headerLimit))
        throw this.#bad('a sparse map has no end');
      const block = await this.#block();
      blocks.push(block);
      for (let at = block.indexOf(0x0a); at >= 0; at = block.indexOf(0x0a, at + 1)) newlines += 1;
      if (blocks.length === 1)
        wanted = 1 + 2 * Number(/^\d{1,9}(?=\n)/.exec(block.toString('latin1', 0, 10))?.[0] ?? Number.NaN);
      if (Number.isNaN(wanted)) throw this.#bad('a sparse map has no length');
    }
    const map = parseSparseMap(Buffer.concat(blocks));
    if (map === 'more' || map === 'bad') throw this.#bad('a sparse map is not made of numbers');
    return map;
  }

  async *#read(): AsyncGenerator<Uint8Array, void, void> {
    while (this.#content > 0) {
      const piece = await this.#bytes.some(this.#content);
      if (piece === undefined) throw this.#bad('it stops inside a file');
      this.#content -= piece.length;
      yield piece;
    }
  }

  async #block(): Promise<Buffer> {
    const block = await this.#bytes.exactly(tarBlockSize);
    if (block === undefined) throw this.#bad('it stops before its end');
    return block;
  }

  async #meta(size: number): Promise<Buffer> {
    if (size > headerLimit) throw this.#bad('a header is longer than can be');
    const bytes = await this.#bytes.exactly(padded(size));
    if (bytes === undefined) throw this.#bad('it stops inside a header');
    return bytes.subarray(0, size);
  }

  #records(bytes: Buffer): PaxRecords {
    const records = parsePaxRecords(bytes);
    if (records === undefined) throw this.#bad('a pax header is not made of records');
    return records;
  }

  #moment(text: string | undefined): Timestamp | undefined {
    if (text === undefined) return undefined;
    const moment = parseDecimalSeconds(text);
    if (moment === undefined) throw this.#bad('a time is not a number');
    return moment;
  }

  #bad(problem: string): ImprintError {
    return new ImprintError('tar-invalid', { source: this.#name, problem, offset: this.#bytes.offset });
  }
}

function padded(size: number): number {
  return Math.ceil(size / tarBlockSize) * tarBlockSize;
}

function cString(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('latin1', 0, end < 0 ? bytes.length : end);
}

function withoutSlash(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, '') : path;
}
