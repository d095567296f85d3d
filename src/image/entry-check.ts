import { compareAt, type Entry, sharedStart } from './entry.ts';
import { FormatError } from './format-error.ts';
import { chunkLimit } from './pack.ts';
import { SortedPaths } from './sorted-paths.ts';

/** Length of a path in bytes, at most. */
const pathLimit = 65_535;

/**
 * Holds a run of entries against the rules of a manifest, so that no manifest, however it was made, can lead a reader out
 * of its target: paths strictly rising, each in a directory that came before (never below a symlink), no `.`, `..`, empty
 * part or NUL; a hard link names an earlier path that is itself neither a directory nor a hard link.
 */
export class EntryCheck {
  #previous: string | undefined;
  readonly #directories: string[] = [];
  readonly #linkable = new SortedPaths();
  /** Length of the start that all paths since the last one in `#linkable` share with it. */
  #shared = 0;

  /** Throws a `FormatError` that names the path. */
  check(entry: Entry): void {
    const { path, type } = entry;
    const problem = this.#place(path, type === 'directory') ?? this.#attributes(entry);
    if (problem !== undefined) throw new FormatError(`${JSON.stringify(path)} ${problem}`);
    if (type === 'directory') this.#directories.push(path);
    else if (type !== 'hardlink') {
      this.#linkable.push(path, this.#shared);
      this.#shared = path.length;
    }
    this.#previous = path;
  }

  /** Throws unless there was at least the root. */
  end(): void {
    if (this.#previous === undefined) throw new FormatError('it has no root directory');
  }

  #place(path: string, directory: boolean): string | undefined {
    const previous = this.#previous;
    if (previous === undefined) return path === '' && directory ? undefined : 'comes before the root directory';
    if (path.length > pathLimit) return 'is too long';
    const slash = path.lastIndexOf('/');
    if (isNoName(path, slash + 1) || slash === 0 || path.includes('\0')) return 'is not a proper path';
    const shared = sharedStart(previous, path);
    if (compareAt(previous, path, shared) >= 0) return 'is out of order';
    this.#shared = Math.min(this.#shared, shared);
    const parent = Math.max(slash, 0);
    const open = this.#directories;
    for (let above = open.at(-1); above !== undefined; above = open.at(-1)) {
      if (above.length === parent && path.startsWith(above)) return undefined;
      open.pop();
    }
    return 'is not in a directory';
  }

  #attributes(entry: Entry): string | undefined {
    if (entry.mode > 0o7777) return 'has a mode that cannot be';
    if (entry.mtime.nanoseconds > 999_999_999) return 'has a time that cannot be';
    if (entry.type === 'file') return checkContent(entry);
    if (entry.size !== undefined || entry.chunks !== undefined || entry.segments !== undefined)
      return 'has content but is not a file';
    if (entry.type === 'symlink')
      return entry.target === undefined || entry.target === '' || entry.target.includes('\0')
        ? 'is a symlink to nothing'
        : undefined;
    if (entry.type === 'hardlink')
      return entry.target !== undefined && this.#linkable.has(entry.target)
        ? undefined
        : 'is a hard link to what is no earlier file';
    return undefined;
  }
}

/** Whether what begins at `from` is empty, `.` or `..`. */
function isNoName(path: string, from: number): boolean {
  const length = path.length - from;
  return (
    length === 0 || (length <= 2 && (path.endsWith('/.') || path.endsWith('/..') || path === '.' || path === '..'))
  );
}

/** Chunks must fill the segments, and the segments lie in order, apart, within the file. */
function checkContent({ size = 0, chunks = [], segments }: Entry): string | undefined {
  let data = size;
  if (segments !== undefined) {
    let from = 0;
    data = 0;
    for (const { offset, length } of segments) {
      if (offset < from || length <= 0 || offset + length > size) return 'has segments that cannot be';
      from = offset + length;
      data += length;
    }
  }
  for (const { length } of chunks) {
    if (length < 1 || length > chunkLimit) return 'has a chunk of a length that cannot be';
    data -= length;
  }
  return data === 0 ? undefined : 'has chunks that do not make up its content';
}
