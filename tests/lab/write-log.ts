import { type FileHandle, open } from 'node:fs/promises';

/**
 * Everything that was written to a disk, in order, in the form of the kernel's dm-log-writes (`struct log_write_super`, `log_write_entry` of
 * drivers/md/dm-log-writes.c), which QEMU's `blklogwrites` and our recorded disks write. All numbers are little-endian; each entry's header
 * fills a sector, its data follow.
 */
export const logSector = 512;
const superMagic = 0x6a736677736872n;
const superVersion = 1n;

/** Bits of an entry's flags. The kernel's own logs also have 16, for metadata of a file system. */
export const logFlags = { flush: 1, fua: 2, discard: 4, mark: 8 } as const;

export type LogKind = 'write' | 'discard' | 'flush' | 'mark';

/** One thing that a disk was told. */
export interface LogEntry {
  readonly kind: LogKind;
  /** Place on the disk, bytes. */
  readonly offset: number;
  /** Bytes of the disk that it changes; of a mark, of its name. */
  readonly length: number;
  /** Where its data lie in the log. */
  readonly dataAt: number;
  /** A write that lasts by itself, without a flush after it. */
  readonly lasts: boolean;
  /** Of a mark. */
  readonly name?: string;
}

/** A log that is open for reading. */
export class WriteLog implements AsyncDisposable {
  readonly entries: readonly LogEntry[];
  readonly #file: FileHandle;

  private constructor(file: FileHandle, entries: readonly LogEntry[]) {
    this.#file = file;
    this.entries = entries;
  }

  /** Reads a log to its last whole entry: the machine that wrote it may have lost its power. Throws where it is no log. */
  static async open(path: string): Promise<WriteLog> {
    const file = await open(path, 'r');
    try {
      return new WriteLog(file, await readEntries(file, (await file.stat()).size));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** The bytes that a write put on the disk. */
  async data(entry: LogEntry): Promise<Buffer> {
    const data = Buffer.alloc(entry.kind === 'write' ? entry.length : 0);
    await readFully(this.#file, data, entry.dataAt);
    return data;
  }

  /** How many entries there were when the log's file was `size` bytes long: a moment that was noted while it was written. */
  countAt(size: number): number {
    const next = this.entries.findIndex(({ dataAt }) => dataAt > size);
    return next < 0 ? this.entries.length : next;
  }

  /** Index of the mark of this name; throws where there is none. */
  mark(name: string): number {
    const found = this.entries.findIndex((entry) => entry.name === name);
    if (found < 0) throw new Error(`the log has no mark ${name}`);
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

/** The first sector of a log. */
export function formatLogSuper(entries: number): Buffer {
  const sector = Buffer.alloc(logSector);
  sector.writeBigUInt64LE(superMagic, 0);
  sector.writeBigUInt64LE(superVersion, 8);
  sector.writeBigUInt64LE(BigInt(entries), 16);
  sector.writeUInt32LE(logSector, 24);
  return sector;
}

/** The header of an entry; `data` bytes of the log belong to it. Offset and length are whole sectors. */
export function formatLogEntry(flags: number, offset: number, length: number, data: number): Buffer {
  const sector = Buffer.alloc(logSector);
  sector.writeBigUInt64LE(BigInt(offset / logSector), 0);
  sector.writeBigUInt64LE(BigInt(length / logSector), 8);
  sector.writeBigUInt64LE(BigInt(flags), 16);
  sector.writeBigUInt64LE(BigInt(data), 24);
  return sector;
}

async function readEntries(file: FileHandle, size: number): Promise<LogEntry[]> {
  const sector = Buffer.alloc(logSector);
  if (size < logSector) return [];
  await readFully(file, sector, 0);
  if (sector.readBigUInt64LE(0) !== superMagic || sector.readBigUInt64LE(8) !== superVersion) {
    throw new Error('no log of writes');
  }
  if (sector.readUInt32LE(24) !== logSector) throw new Error(`a log of sectors of ${sector.readUInt32LE(24)} bytes`);
  const entries: LogEntry[] = [];
  // The super block counts only up to the last flush; what follows is as good as long as it is whole.
  for (let at = logSector; at + logSector <= size; ) {
    await readFully(file, sector, at);
    const entry = parseEntry(sector, at + logSector);
    if (entry === undefined) break;
    const stored = entry.kind === 'write' || entry.kind === 'mark' ? padded(entry.length) : 0;
    if (entry.dataAt + stored > size) break;
    if (entry.kind === 'mark') {
      const name = Buffer.alloc(entry.length);
      await readFully(file, name, entry.dataAt);
      entries.push({ ...entry, name: name.toString('utf8') });
    } else entries.push(entry);
    at = entry.dataAt + stored;
  }
  return entries;
}

function parseEntry(sector: Buffer, dataAt: number): LogEntry | undefined {
  const [place, sectors, flags, data] = [0, 8, 16, 24].map((at) => Number(sector.readBigUInt64LE(at))) as [
    number,
    number,
    number,
    number,
  ];
  // The rest of the sector is zero: what is not was never a header.
  if (flags > 31 || sector.subarray(32).some((byte) => byte !== 0)) return undefined;
  const at = { offset: place * logSector, dataAt, lasts: (flags & logFlags.fua) !== 0 };
  if (flags & logFlags.mark) return { ...at, kind: 'mark', length: data };
  if (flags & logFlags.discard) return { ...at, kind: 'discard', length: sectors * logSector };
  if (sectors > 0) return { ...at, kind: 'write', length: sectors * logSector };
  return flags & logFlags.flush ? { ...at, kind: 'flush', length: 0 } : undefined;
}

function padded(length: number): number {
  return Math.ceil(length / logSector) * logSector;
}

async function readFully(file: FileHandle, target: Buffer, position: number): Promise<void> {
  for (let done = 0; done < target.length; ) {
    const { bytesRead } = await file.read(target, done, target.length - done, position + done);
    if (bytesRead === 0) throw new Error('the log is cut short');
    done += bytesRead;
  }
}
