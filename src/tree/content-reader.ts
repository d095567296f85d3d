import type { RawPath } from '../foundation/brand.ts';
import { createGearTable, cutMaximum, cutThreshold, findCut } from '../image/cutter.ts';
import type { DataSegment } from '../image/entry.ts';
import { lastErrno } from '../native/binding.ts';
import { close, openFlags, readAt, seekData, seekHole, tryOpen } from '../native/files.ts';
import { systemError } from '../native/library.ts';
import { NativeBuffer } from '../native/native-buffer.ts';
import { type FileStatus, isFile, statusOf } from '../native/status.ts';

/** A file as it was read. */
export interface ReadFile {
  status: FileStatus;
  size: number;
  /** Absent: no holes. */
  segments?: DataSegment[];
  /** Whether it changed at every try: what was read is then what was there from one moment to the next. */
  changing: boolean;
}

/** Takes a piece of content: `length` bytes at `offset` of `buffer`. */
export type PieceSink = (buffer: NativeBuffer, offset: number, length: number) => void;

const tries = 3;
const pause = 20;
const bufferSize = 16 << 20;
const { readOnly, noFollow, noAccessTime, nonBlocking } = openFlags;

/**
 * Reads files whole and cuts them into chunks: up to 4 MiB a file is one chunk, a longer one is cut by its content. A file
 * that changes meanwhile is read again.
 */
export class ContentReader {
  readonly #buffer = new NativeBuffer(bufferSize);
  readonly #gear = createGearTable();
  readonly #pause = new Int32Array(new SharedArrayBuffer(4));

  /** Reads one file; `begin` is called before each try, then `piece` for each chunk. Throws system errors. */
  read(path: RawPath, begin: () => void, piece: PieceSink): ReadFile {
    const fd = openForReading(path);
    try {
      let before = statusOf(fd);
      if (!isFile(before.mode)) throw systemError('open', 40, path);
      for (let attempt = 1; ; attempt += 1) {
        begin();
        const last = attempt === tries;
        const segments = last && attempt > 1 ? undefined : findSegments(fd, before.size);
        const wanted = segments === undefined ? before.size : sumOf(segments);
        const got = this.#content(fd, segments ?? [{ offset: 0, length: before.size }], wanted, piece);
        const after = statusOf(fd);
        const still = got === wanted && sameMoment(before, after);
        if (still || last) {
          const size = segments === undefined ? got : before.size;
          return { status: before, size, changing: !still, ...(segments === undefined ? {} : { segments }) };
        }
        Atomics.wait(this.#pause, 0, 0, pause);
        before = statusOf(fd);
      }
    } finally {
      close(fd);
    }
  }

  /** Reads and cuts the segments; the number of bytes read, less than `total` where the file became shorter. */
  #content(fd: number, segments: readonly DataSegment[], total: number, piece: PieceSink): number {
    const source = new SegmentSource(fd, segments);
    const buffer = this.#buffer;
    if (total <= cutThreshold) {
      const got = source.read(buffer, 0, total);
      if (got > 0) piece(buffer, 0, got);
      return got;
    }
    let done = 0;
    let start = 0;
    let end = 0;
    for (;;) {
      if (end - start < cutMaximum && !source.ended) {
        buffer.bytes.copyWithin(0, start, end);
        end -= start;
        start = 0;
        end += source.read(buffer, end, buffer.size - end);
      }
      if (start === end) return done;
      const cut = findCut(this.#gear, buffer.bytes, start, end, done);
      piece(buffer, start, cut - start);
      done += cut - start;
      start = cut;
    }
  }
}

/** Reads the data of a file from segment to segment. */
class SegmentSource {
  readonly #fd: number;
  readonly #segments: readonly DataSegment[];
  #segment = 0;
  #within = 0;
  ended: boolean;

  constructor(fd: number, segments: readonly DataSegment[]) {
    this.#fd = fd;
    this.#segments = segments;
    this.ended = segments.length === 0;
  }

  /** Reads up to `length` bytes to `offset` of `target`; fewer only at the end. */
  read(target: NativeBuffer, offset: number, length: number): number {
    let done = 0;
    while (done < length && !this.ended) {
      const segment = this.#segments[this.#segment] as DataSegment;
      const want = Math.min(length - done, segment.length - this.#within);
      const got = want === 0 ? 0 : readAt(this.#fd, target.at(offset + done), want, segment.offset + this.#within);
      done += got;
      this.#within += got;
      if (got < want) this.ended = true;
      if (this.#within === segment.length) {
        this.#segment += 1;
        this.#within = 0;
        if (this.#segment === this.#segments.length) this.ended = true;
      }
    }
    return done;
  }
}

function openForReading(path: RawPath): number {
  let fd = tryOpen(path, readOnly | noFollow | nonBlocking | noAccessTime);
  // Only the owner may leave the access time alone.
  if (fd < 0 && lastErrno() === 1) fd = tryOpen(path, readOnly | noFollow | nonBlocking);
  if (fd < 0) throw systemError('open', lastErrno());
  return fd;
}

/** Where the data of a file lies, as the file system tells; undefined where it has no holes. */
export function findSegments(fd: number, size: number): DataSegment[] | undefined {
  if (size === 0 || seekHole(fd, 0) >= size) return undefined;
  const segments: DataSegment[] = [];
  for (let at = 0; at < size; ) {
    const data = seekData(fd, at);
    if (data < 0 || data >= size) break;
    const hole = Math.min(size, seekHole(fd, data));
    segments.push({ offset: data, length: hole - data });
    at = hole;
  }
  return segments;
}

function sumOf(segments: readonly DataSegment[]): number {
  return segments.reduce((sum, segment) => sum + segment.length, 0);
}

function sameMoment(left: FileStatus, right: FileStatus): boolean {
  return (
    left.size === right.size &&
    left.mtimeNanoseconds === right.mtimeNanoseconds &&
    left.mtimeSeconds === right.mtimeSeconds &&
    left.ctimeNanoseconds === right.ctimeNanoseconds &&
    left.ctimeSeconds === right.ctimeSeconds
  );
}
