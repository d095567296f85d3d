import { displayPath, type RawPath } from '../foundation/brand.ts';
import { type DataSegment, type Entry, type ExtendedAttribute, typeOfMode } from '../image/entry.ts';
import { readXattrs } from '../native/attributes.ts';
import { close, open, openFlags, readAt } from '../native/files.ts';
import { NativeBuffer } from '../native/native-buffer.ts';
import { bindSha256 } from '../native/sha256.ts';
import { type FileStatus, readLink } from '../native/status.ts';
import { findSegments } from './content-reader.ts';
import type { WalkedEntry } from './walk.ts';

/** One thing in which a path is not what it should be; both sides in words. */
export interface Difference {
  path: RawPath;
  attribute:
    | 'existence'
    | 'type'
    | 'mode'
    | 'owner'
    | 'mtime'
    | 'xattr'
    | 'size'
    | 'holes'
    | 'content'
    | 'target'
    | 'device'
    | 'hardlink';
  expected: string;
  actual: string;
}

/** Compares entries with what is there; remembers hard links from one to the next, so all must come, in order. */
export class EntryComparer {
  readonly #buffer = new NativeBuffer(4 << 20);
  readonly #hash = new NativeBuffer(32);
  readonly #sha256 = bindSha256();
  /** Device and inode of files with several names → the first that was seen. */
  readonly #firstNames = new Map<string, RawPath>();

  *compare(entry: Entry, walked: WalkedEntry): Generator<Difference> {
    const { path } = entry;
    const { status } = walked;
    const differ = (attribute: Difference['attribute'], expected: string, actual: string): Difference => ({
      path,
      attribute,
      expected,
      actual,
    });
    const type = typeOfMode(status.mode) ?? 'unknown';
    const first = type === 'directory' ? undefined : this.#firstName(path, status);
    if (first !== entry.target && (entry.type === 'hardlink' || first !== undefined)) {
      const own = 'a file of its own';
      const expected = entry.type === 'hardlink' && entry.target !== undefined ? displayPath(entry.target) : own;
      yield differ('hardlink', expected, first === undefined ? own : displayPath(first));
    }
    // All else was compared at its first name.
    if (entry.type === 'hardlink') return;
    if (type !== entry.type) {
      yield differ('type', entry.type, type);
      return;
    }
    const mode = status.mode & 0o7777;
    if (mode !== entry.mode && type !== 'symlink') yield differ('mode', octal(entry.mode), octal(mode));
    if (status.uid !== entry.uid || status.gid !== entry.gid) {
      yield differ('owner', `${entry.uid}:${entry.gid}`, `${status.uid}:${status.gid}`);
    }
    if (status.mtimeSeconds !== entry.mtime.seconds || status.mtimeNanoseconds !== entry.mtime.nanoseconds) {
      const actual = time(status.mtimeSeconds, status.mtimeNanoseconds);
      yield differ('mtime', time(entry.mtime.seconds, entry.mtime.nanoseconds), actual);
    }
    yield* this.#xattrs(entry, walked.absolute, differ);
    if (type === 'symlink') {
      const target = readLink(walked.absolute);
      if (target !== entry.target) yield differ('target', displayPath(entry.target ?? target), displayPath(target));
    }
    if (type === 'character' || type === 'block') {
      const expected = `${entry.major ?? 0}:${entry.minor ?? 0}`;
      const actual = `${status.major}:${status.minor}`;
      if (expected !== actual) yield differ('device', expected, actual);
    }
    if (type === 'file') yield* this.#content(entry, walked, differ);
  }

  #firstName(path: RawPath, status: FileStatus): RawPath | undefined {
    if (status.links < 2) return undefined;
    const key = `${status.device}:${status.inode}`;
    const first = this.#firstNames.get(key);
    if (first === undefined) this.#firstNames.set(key, path);
    return first;
  }

  *#xattrs(entry: Entry, path: RawPath, differ: Differ): Generator<Difference> {
    const expected = byName(entry.xattrs ?? []);
    const actual = byName(readXattrs(path));
    for (const name of new Set([...expected.keys(), ...actual.keys()])) {
      const left = expected.get(name);
      const right = actual.get(name);
      if (left !== right) yield differ('xattr', `${name}=${left ?? '(none)'}`, `${name}=${right ?? '(none)'}`);
    }
  }

  *#content(entry: Entry, walked: WalkedEntry, differ: Differ): Generator<Difference> {
    const size = entry.size ?? 0;
    if (walked.status.size !== size) {
      yield differ('size', `${size} bytes`, `${walked.status.size} bytes`);
      return;
    }
    if (size === 0) return;
    const fd = open(walked.absolute, openFlags.readOnly | openFlags.noFollow | openFlags.noAccessTime);
    try {
      const whole = [{ offset: 0, length: size }];
      const expected = entry.segments ?? whole;
      const actual = findSegments(fd, size) ?? whole;
      if (layout(expected) !== layout(actual)) yield differ('holes', layout(expected), layout(actual));
      const at = this.#firstDifference(fd, entry, expected, actual);
      if (at !== undefined) yield differ('content', 'as captured', `different within 4 MiB of byte ${at}`);
    } finally {
      close(fd);
    }
  }

  /** Where content differs: the offset in the file of the first chunk, or of the first hole, that does. */
  #firstDifference(
    fd: number,
    entry: Entry,
    segments: readonly DataSegment[],
    actual: readonly DataSegment[],
  ): number | undefined {
    const reader = new SegmentCursor(segments);
    for (const { hash, length } of entry.chunks ?? []) {
      const start = reader.position;
      for (let done = 0; done < length; ) {
        const part = reader.take(length - done);
        if (readAt(fd, this.#buffer.at(done), part.length, part.offset) < part.length) return start;
        done += part.length;
      }
      this.#sha256(this.#buffer.pointer, length, this.#hash.pointer);
      if (!this.#hash.bytes.equals(hash)) return start;
    }
    return this.#firstInHole(fd, segments, actual);
  }

  /** Where there is data that is not zero though a hole was captured. */
  #firstInHole(fd: number, expected: readonly DataSegment[], actual: readonly DataSegment[]): number | undefined {
    for (const { offset, length } of subtract(actual, expected)) {
      for (let at = offset; at < offset + length; ) {
        const part = Math.min(this.#buffer.size, offset + length - at);
        const got = readAt(fd, this.#buffer.pointer, part, at);
        if (got < part || this.#buffer.bytes.subarray(0, part).some((byte) => byte !== 0)) return at;
        at += part;
      }
    }
    return undefined;
  }
}

type Differ = (attribute: Difference['attribute'], expected: string, actual: string) => Difference;

/** Goes through segments; never past the end of one at a time. */
class SegmentCursor {
  readonly #segments: readonly DataSegment[];
  #index = 0;
  #within = 0;

  constructor(segments: readonly DataSegment[]) {
    this.#segments = segments;
  }

  get position(): number {
    return (this.#segments[this.#index]?.offset ?? 0) + this.#within;
  }

  take(length: number): DataSegment {
    const segment = this.#segments[this.#index];
    if (segment === undefined) throw new RangeError('more content than segments');
    const part = { offset: segment.offset + this.#within, length: Math.min(length, segment.length - this.#within) };
    this.#within += part.length;
    if (this.#within === segment.length) {
      this.#index += 1;
      this.#within = 0;
    }
    return part;
  }
}

/** What lies in `ranges` and not in `others`; both in order. */
function subtract(ranges: readonly DataSegment[], others: readonly DataSegment[]): DataSegment[] {
  const rest: DataSegment[] = [];
  for (const { offset, length } of ranges) {
    let from = offset;
    for (const other of others) {
      if (other.offset >= offset + length) break;
      if (other.offset + other.length <= from) continue;
      if (other.offset > from) rest.push({ offset: from, length: other.offset - from });
      from = other.offset + other.length;
    }
    if (from < offset + length) rest.push({ offset: from, length: offset + length - from });
  }
  return rest;
}

function byName(xattrs: readonly ExtendedAttribute[]): Map<string, string> {
  return new Map(
    xattrs.map(({ name, value }) => [displayPath(name as RawPath), `0x${Buffer.from(value).toString('hex')}`]),
  );
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

function time(seconds: number, nanoseconds: number): string {
  return `${seconds}.${String(nanoseconds).padStart(9, '0')}`;
}

function layout(segments: readonly DataSegment[]): string {
  const shown = segments.slice(0, 8).map(({ offset, length }) => `${offset}+${length}`);
  if (shown.length === 0) return 'a hole only';
  return `data at ${shown.join(', ')}${segments.length > shown.length ? ` … (${segments.length} ranges)` : ''}`;
}
