import { hash } from 'node:crypto';
import type { RawPath } from '../../foundation/brand.ts';
import { rawPath } from '../../foundation/brand.ts';
import type { DataSegment, Entry } from '../../image/entry.ts';
import { close, openFlags, readAt, tryOpen } from '../../native/files.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';
import { type FileStatus, isDirectory, isFile, status, statusOf } from '../../native/status.ts';
import { ByteRows, Column, Paths } from '../../tree/columns.ts';
import { readKeptConfiguration } from './kept-configuration.ts';

/**
 * The content of a version that lies in a directory, by the hash of its chunks and by place. Files may have changed since: what is
 * asked for by hash is checked against it; what is asked for by place is what is there, and zeros where nothing is. Small files that machines change of their own
 * (`readKeptConfiguration`) are had as they were. Some 60 bytes for each chunk, and the
 * path and 40 bytes for each file.
 */
export class LocalChunks {
  readonly #root: RawPath;
  /** By the hash of the one chunk of a file: what it was before somebody changed it. */
  readonly #kept: (hash: string) => Uint8Array | undefined;
  readonly #paths = new Paths();
  /** By file: size and time of its manifest entry, and the number of that. */
  readonly #size = Column.f64();
  readonly #seconds = Column.f64();
  readonly #nanoseconds = Column.u32();
  readonly #entry = Column.u32();
  /** Of the few files with holes. */
  readonly #segments = new Map<number, readonly DataSegment[]>();
  /** By chunk: its hash, its file, its place in the file's data and its length. */
  readonly #hashes = new ByteRows(32);
  readonly #chunkFile = Column.u32();
  readonly #chunkAt = Column.f64();
  readonly #chunkLength = Column.u32();
  #slots = new Int32Array(0);
  /** By file: 0 not looked at, 1 as in its entry by size and time, 2 changed or gone. */
  #states = new Uint8Array(0);
  #open: { file: number; fd: number } | undefined;
  #buffer = new NativeBuffer(1 << 16);
  #entries = 0;
  /** By directory: whether it and all above it are directories of the root itself. Absent: links on the way are followed. */
  readonly #within: Map<string, boolean> | undefined;

  private constructor(root: string, foreign: boolean) {
    this.#root = rawPath(root === '/' ? '' : root);
    this.#kept = foreign ? () => undefined : readKeptConfiguration(root);
    this.#within = foreign ? new Map([['', true]]) : undefined;
  }

  /**
   * Reads the manifest of the version that lies below `root`. `foreign`: a root that nobody vouches for, and that nothing writes to: no link on the way to a
   * file is followed, out of it, say; only the files themselves are read. Throws `corrupt-manifest`.
   */
  static async read(
    root: string,
    manifest: { entries(): AsyncIterable<Entry[]> },
    signal: AbortSignal,
    { foreign = false } = {},
  ): Promise<LocalChunks> {
    const chunks = new LocalChunks(root, foreign);
    for await (const batch of manifest.entries()) {
      signal.throwIfAborted();
      for (const entry of batch) chunks.#add(entry);
    }
    chunks.#finish();
    return chunks;
  }

  /** The bytes of a chunk (64 hexadecimal digits) where they are still there, checked. Valid until the next call. */
  read(name: string): Uint8Array | undefined {
    const key = Buffer.from(name, 'hex');
    for (let slot = this.#slotFrom(firstWord(key), key); slot >= 0; slot = this.#slotFrom(slot + 1, key)) {
      const chunk = (this.#slots[slot] as number) - 1;
      const bytes = this.#readData(this.#chunkFile.at(chunk), this.#chunkAt.at(chunk), this.#chunkLength.at(chunk));
      if (bytes !== undefined && hash('sha256', bytes, 'buffer').equals(key)) return bytes;
    }
    return this.has(key) ? this.#keptContent(key) : undefined;
  }

  /** Whether the version has a chunk (32 bytes), wherever its file is. */
  has(key: Uint8Array): boolean {
    return this.#slotFrom(firstWord(key), key) >= 0;
  }

  /**
   * Whether the version has a chunk (32 bytes) at all, and whether it is still there: by what the file system says of its file (same size, same time), or
   * because it was kept.
   */
  stateOf(key: Uint8Array): 'unknown' | 'there' | 'changed' {
    let known = false;
    for (let slot = this.#slotFrom(firstWord(key), key); slot >= 0; slot = this.#slotFrom(slot + 1, key)) {
      if (this.#isIntact(this.#chunkFile.at((this.#slots[slot] as number) - 1))) return 'there';
      known = true;
    }
    if (!known) return 'unknown';
    return this.#keptContent(key) === undefined ? 'changed' : 'there';
  }

  /**
   * Data (holes left out) of the version's entry with this number, from `offset`, fills `length` bytes of `target` from `at`: what was kept of it, else what is
   * there now, then zeros.
   */
  copyData(entry: number, offset: number, target: NativeBuffer, at: number, length: number): void {
    const file = this.#fileOfEntry(entry);
    const kept = file === undefined || this.#isIntact(file) ? undefined : this.#keptFile(file);
    if (kept !== undefined && offset + length <= kept.length)
      target.bytes.set(kept.subarray(offset, offset + length), at);
    else if (file === undefined || !this.#readTo(file, offset, target, at, length))
      target.bytes.fill(0, at, at + length);
  }

  /** Whether the data of the entry with this number is there as it was, by its file's size and time, or because it was kept. */
  isEntryIntact(entry: number): boolean {
    const file = this.#fileOfEntry(entry);
    return file !== undefined && (this.#isIntact(file) || this.#keptFile(file) !== undefined);
  }

  close(): void {
    if (this.#open !== undefined) close(this.#open.fd);
    this.#open = undefined;
  }

  #add(entry: Entry): void {
    const number = this.#entries;
    this.#entries += 1;
    if (entry.type !== 'file' || entry.chunks === undefined) return;
    const file = this.#paths.length;
    this.#paths.push(entry.path);
    this.#entry.push(number);
    this.#size.push(entry.size ?? 0);
    this.#seconds.push(entry.mtime.seconds);
    this.#nanoseconds.push(entry.mtime.nanoseconds);
    if (entry.segments !== undefined) this.#segments.set(file, entry.segments);
    let at = 0;
    for (const { hash: key, length } of entry.chunks) {
      this.#hashes.push(key);
      this.#chunkFile.push(file);
      this.#chunkAt.push(at);
      this.#chunkLength.push(length);
      at += length;
    }
  }

  #finish(): void {
    this.#states = new Uint8Array(this.#paths.length);
    let length = 1 << 10;
    while (length < this.#hashes.length * 2) length *= 2;
    this.#slots = new Int32Array(length);
    for (let chunk = 0; chunk < this.#hashes.length; chunk += 1) {
      let slot = firstWord(this.#hashes.at(chunk)) & (length - 1);
      while (this.#slots[slot] !== 0) slot = (slot + 1) & (length - 1);
      this.#slots[slot] = chunk + 1;
    }
  }

  /** The first slot from `start` on that leads to a place of the chunk with this hash; −1 where none does. */
  #slotFrom(start: number, key: Uint8Array): number {
    const mask = this.#slots.length - 1;
    for (let slot = start & mask; ; slot = (slot + 1) & mask) {
      const chunk = (this.#slots[slot] as number) - 1;
      if (chunk < 0) return -1;
      if (this.#hashes.is(chunk, key)) return slot;
    }
  }

  #fileOfEntry(entry: number): number | undefined {
    const file = firstFrom(this.#entry, entry);
    return file < this.#entry.length && this.#entry.at(file) === entry ? file : undefined;
  }

  /** What a file of one chunk was, where that was kept. */
  #keptFile(file: number): Uint8Array | undefined {
    const chunk = firstFrom(this.#chunkFile, file);
    const [next, end] = [chunk + 1, this.#chunkFile.length];
    if (chunk >= end || this.#chunkFile.at(chunk) !== file) return undefined;
    return next < end && this.#chunkFile.at(next) === file ? undefined : this.#keptContent(this.#hashes.at(chunk));
  }

  /** Checked: nobody keeps a file from being damaged. */
  #keptContent(key: Uint8Array): Uint8Array | undefined {
    const bytes = Buffer.from(key.buffer, key.byteOffset, key.byteLength);
    const content = this.#kept(bytes.toString('hex'));
    return content !== undefined && hash('sha256', content, 'buffer').equals(bytes) ? content : undefined;
  }

  #readData(file: number, offset: number, length: number): Buffer | undefined {
    if (this.#buffer.size < length) this.#buffer = new NativeBuffer(length);
    return this.#readTo(file, offset, this.#buffer, 0, length) ? this.#buffer.bytes.subarray(0, length) : undefined;
  }

  /** Data of a file as it is now; where the file is shorter, zeros follow. False where it cannot be read. */
  #readTo(file: number, offset: number, target: NativeBuffer, from: number, length: number): boolean {
    const fd = this.#openFile(file);
    if (fd === undefined) return false;
    let done = from;
    try {
      for (const { at, part } of placesOf(this.#segments.get(file), offset, length)) {
        const got = readAt(fd, target.at(done), part, at);
        target.bytes.fill(0, done + got, done + part);
        done += part;
      }
    } catch {
      // A disk that cannot read it: as if it were not there.
      return false;
    }
    target.bytes.fill(0, done, from + length);
    return true;
  }

  #openFile(file: number): number | undefined {
    if (this.#open?.file === file) return this.#open.fd;
    this.close();
    const path = this.#pathOf(file);
    if (!this.#isWithin(this.#paths.at(file))) {
      this.#states[file] = 2;
      return undefined;
    }
    // Without waiting for who opens a pipe; what is no file any longer is not read.
    const fd = tryOpen(path, openFlags.readOnly | openFlags.noFollow | openFlags.nonBlocking);
    if (fd < 0) {
      this.#states[file] = 2;
      return undefined;
    }
    const found = statusOf(fd);
    this.#states[file] = this.#isSame(file, found) ? 1 : 2;
    if (!isFile(found.mode)) {
      close(fd);
      return undefined;
    }
    this.#open = { file, fd };
    return fd;
  }

  /** Whether no link leads to a path; always, where links are followed. */
  #isWithin(path: string): boolean {
    if (this.#within === undefined) return true;
    const directory = path.slice(0, Math.max(path.lastIndexOf('/'), 0));
    let within = this.#within.get(directory);
    if (within === undefined) {
      within = this.#isWithin(directory) && isDirectoryAt(`${this.#root}/${directory}` as RawPath);
      this.#within.set(directory, within);
    }
    return within;
  }

  /** By its name: to open each file of a system takes twice as long. */
  #isIntact(file: number): boolean {
    if (this.#states[file] === 0) {
      try {
        this.#states[file] = this.#isSame(file, status(this.#pathOf(file))) ? 1 : 2;
      } catch {
        this.#states[file] = 2;
      }
    }
    return this.#states[file] === 1;
  }

  #isSame(file: number, { mode, size, mtimeSeconds, mtimeNanoseconds }: FileStatus): boolean {
    return (
      isFile(mode) &&
      size === this.#size.at(file) &&
      mtimeSeconds === this.#seconds.at(file) &&
      mtimeNanoseconds === this.#nanoseconds.at(file)
    );
  }

  #pathOf(file: number): RawPath {
    return `${this.#root}/${this.#paths.at(file)}` as RawPath;
  }
}

function isDirectoryAt(path: RawPath): boolean {
  try {
    return isDirectory(status(path).mode);
  } catch {
    return false;
  }
}

/** Where data lies in a file: without segments it is all data. */
function placesOf(
  segments: readonly DataSegment[] | undefined,
  offset: number,
  length: number,
): { at: number; part: number }[] {
  if (segments === undefined) return [{ at: offset, part: length }];
  const places: { at: number; part: number }[] = [];
  let before = 0;
  let [from, left] = [offset, length];
  for (const segment of segments) {
    const within = from - before;
    if (left > 0 && within < segment.length) {
      const part = Math.min(left, segment.length - within);
      places.push({ at: segment.offset + within, part });
      from += part;
      left -= part;
    }
    before += segment.length;
  }
  return places;
}

/** Number of the first value of an ascending column that is not below `value`. */
function firstFrom(column: Column<Uint32Array>, value: number): number {
  let low = 0;
  let high = column.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (column.at(middle) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function firstWord(key: Uint8Array): number {
  const [a = 0, b = 0, c = 0, d = 0] = key;
  return a | (b << 8) | (c << 16) | (d << 24);
}
