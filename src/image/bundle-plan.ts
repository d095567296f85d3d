import { comparePaths, type Entry } from './entry.ts';
import { nameWithoutVersion } from './moved-names.ts';

/** A range of the data (holes left out) of a file of the version that a bundle leads from. */
export interface BaseRange {
  /** Number of the file's entry in the manifest, the root being 0. */
  entry: number;
  offset: number;
  length: number;
}

/** A chunk that the new version has and the old one has not. */
export interface MissingChunk {
  hash: Uint8Array;
  length: number;
}

/** Some missing chunks, one after another in the order of the manifest, and what of the old version is like them. */
export interface BundleUnit {
  /** Number of the first of them, and how many. */
  first: number;
  count: number;
  /** Bytes of all of them. */
  length: number;
  base?: BaseRange;
}

export interface BundlePlan {
  missing: MissingChunk[];
  units: BundleUnit[];
}

/** A file of the old version. */
interface OldFile {
  path: string;
  entry: number;
  length: number;
  /** Number of its first chunk, and of the one after its last. */
  first: number;
  end: number;
}

/** Where a chunk of the old version lies. */
interface OldPlace {
  file: number;
  /** In the file's data. */
  at: number;
}

const hashLength = 32;

/** Content of a unit, at most, unless a chunk is longer. */
const unitLength = 4 << 20;
/**
 * An old file up to this length is looked at whole: its parts may have been moved about in it. Twice as much made the bundle of a large Debian larger, not
 * smaller, and takes that much more memory at both ends.
 */
const wholeLimit = 64 << 20;
/** Of a file that is not looked at whole, a unit looks at no more than this. */
const partLimit = 16 << 20;
/** How much more of the old file, to both sides, a part of a run looks at. */
const unitSlack = 2 << 20;

/**
 * What a bundle must bring, and for each piece of it the piece of the old version that is likely to be like it: the same place of the file of the same path, else
 * of one that moved with a version in its name, else of one of the same name elsewhere.
 */
export class BundlePlanner {
  /** By hash: the number of the first chunk that has it. */
  readonly #known = new Map<string, number>();
  readonly #files: OldFile[] = [];
  /** The old version's chunks in columns, for there are many: hash, number of the file, place in its data, length. */
  #hashes = Buffer.alloc(1024 * hashLength);
  readonly #chunkFile: number[] = [];
  readonly #chunkAt: number[] = [];
  readonly #chunkLength: number[] = [];
  readonly #byEntry = new Map<number, OldFile>();
  readonly #byPath = new Map<string, number>();
  readonly #byVersionlessPath = new Map<string, number | number[]>();
  readonly #byName = new Map<string, number | number[]>();
  readonly #taken = new Set<string>();
  readonly #plan: BundlePlan = { missing: [], units: [] };
  #entries = 0;

  /** Takes the entries of the old version, in order. */
  addOld(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const number = this.#entries;
      this.#entries += 1;
      if (entry.type !== 'file' || entry.chunks === undefined || entry.chunks.length === 0) continue;
      const file = this.#files.length;
      const first = this.#chunkFile.length;
      let at = 0;
      for (const { hash, length } of entry.chunks) {
        this.#addOldChunk(hash, file, at, length);
        at += length;
      }
      const old = { path: entry.path, entry: number, length: at, first, end: this.#chunkFile.length };
      this.#files.push(old);
      this.#byEntry.set(number, old);
      this.#byPath.set(entry.path, file);
      push(this.#byVersionlessPath, nameWithoutVersion(entry.path), file);
      push(this.#byName, nameWithoutVersion(nameOf(entry.path)), file);
    }
  }

  /** Takes the entries of the new version, in order, after all of the old one. */
  addNew(entries: readonly Entry[]): void {
    for (const entry of entries) if (entry.type === 'file' && entry.chunks !== undefined) this.#addFile(entry);
  }

  /** The plan, when all entries were taken; what was only needed to make it is forgotten. */
  plan(): BundlePlan {
    for (const map of [this.#known, this.#byPath, this.#byVersionlessPath, this.#byName]) map.clear();
    this.#taken.clear();
    return this.#plan;
  }

  /** The chunks, or parts of chunks, that make up a range of the old version. */
  piecesOf({ entry, offset, length }: BaseRange): { hash: Uint8Array; skip: number; length: number }[] {
    const { first = 0, end = 0 } = this.#byEntry.get(entry) ?? {};
    const pieces: { hash: Uint8Array; skip: number; length: number }[] = [];
    for (let chunk = first; chunk < end; chunk += 1) {
      const at = this.#chunkAt[chunk] ?? 0;
      const from = Math.max(at, offset);
      const to = Math.min(at + (this.#chunkLength[chunk] ?? 0), offset + length);
      const hash = this.#hashes.subarray(chunk * hashLength, (chunk + 1) * hashLength);
      if (from < to) pieces.push({ hash, skip: from - at, length: to - from });
    }
    return pieces;
  }

  #addOldChunk(hash: Uint8Array, file: number, at: number, length: number): void {
    const chunk = this.#chunkFile.length;
    if ((chunk + 1) * hashLength > this.#hashes.length)
      this.#hashes = Buffer.concat([this.#hashes], this.#hashes.length * 2);
    this.#hashes.set(hash, chunk * hashLength);
    this.#chunkFile.push(file);
    this.#chunkAt.push(at);
    this.#chunkLength.push(length);
    const key = keyOf(hash);
    if (!this.#known.has(key)) this.#known.set(key, chunk);
  }

  #placeOf(key: string): OldPlace | undefined {
    const chunk = this.#known.get(key);
    return chunk === undefined ? undefined : { file: this.#chunkFile[chunk] ?? 0, at: this.#chunkAt[chunk] ?? 0 };
  }

  #addFile({ path, chunks = [] }: Entry): void {
    const total = chunks.reduce((sum, { length }) => sum + length, 0);
    let base: OldFile | undefined | 'none';
    let at = 0;
    let run: { first: number; chunks: MissingChunk[]; from: number } | undefined;
    let lastKnown: { file: number; end: number } | undefined;
    const close = (next: OldPlace | undefined) => {
      if (run === undefined) return;
      base ??= this.#baseOf(path, total) ?? 'none';
      this.#addRun(run, base === 'none' ? undefined : base, total, lastKnown, next);
      run = undefined;
    };
    for (const { hash, length } of chunks) {
      const key = keyOf(hash);
      const known = this.#placeOf(key);
      if (known !== undefined || this.#taken.has(key)) {
        close(known);
        if (known !== undefined) lastKnown = { file: known.file, end: known.at + length };
      } else {
        this.#taken.add(key);
        run ??= { first: this.#plan.missing.length, chunks: [], from: at };
        // A copy: the entry's is a part of a block of the manifest, which were kept for it.
        const missing = { hash: Buffer.from(hash), length };
        this.#plan.missing.push(missing);
        run.chunks.push(missing);
      }
      at += length;
    }
    close(undefined);
  }

  /** Cuts a run into units, each with its part of the old file. */
  #addRun(
    run: { first: number; chunks: readonly MissingChunk[]; from: number },
    base: OldFile | undefined,
    total: number,
    before: { file: number; end: number } | undefined,
    after: OldPlace | undefined,
  ): void {
    const length = run.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const whole = base !== undefined && base.length <= wholeLimit;
    const region = this.#regionOf(run.from, length, base, total, before, after);
    let done = 0;
    for (let index = 0; index < run.chunks.length; ) {
      const from = index;
      let part = 0;
      while (index < run.chunks.length && (part === 0 || part + (run.chunks[index]?.length ?? 0) <= unitLength)) {
        part += run.chunks[index]?.length ?? 0;
        index += 1;
      }
      const unit: BundleUnit = { first: run.first + from, count: index - from, length: part };
      if (whole) unit.base = { entry: base.entry, offset: 0, length: base.length };
      else if (region !== undefined) unit.base = partOf(region, done / length, (done + part) / length);
      this.#plan.units.push(unit);
      done += part;
    }
  }

  /** The part of the old file that lies between the neighbours of a run; where these are not known, at the same place or all of it. */
  #regionOf(
    from: number,
    length: number,
    base: OldFile | undefined,
    total: number,
    before: { file: number; end: number } | undefined,
    after: OldPlace | undefined,
  ): BaseRange | undefined {
    const anchored = before ?? after;
    const file = anchored === undefined ? base : this.#files[anchored.file];
    if (file === undefined) return undefined;
    const begin = before?.end ?? 0;
    const end = after !== undefined && this.#files[after.file] === file ? after.at : file.length;
    if (before !== undefined && after !== undefined && begin < end) return exactly(file, begin, end);
    if (before !== undefined && begin < file.length && from + length === total)
      return exactly(file, begin, file.length);
    if (before === undefined && after !== undefined && from === 0 && end > 0) return exactly(file, 0, end);
    // Neighbours that do not fit together: the same place of the file of that name.
    return base === undefined ? undefined : around(base, from, length);
  }

  #baseOf(path: string, length: number): OldFile | undefined {
    const same = this.#byPath.get(path);
    if (same !== undefined) return this.#files[same];
    return (
      this.#best(this.#byVersionlessPath.get(nameWithoutVersion(path)), length) ??
      this.#best(this.#byName.get(nameWithoutVersion(nameOf(path))), length)
    );
  }

  /** Of several candidates the one nearest in length; of those the last by name, for versions rise. */
  #best(candidates: number | readonly number[] | undefined, length: number): OldFile | undefined {
    let best: OldFile | undefined;
    for (const number of typeof candidates === 'number' ? [candidates] : (candidates ?? [])) {
      const file = this.#files[number];
      if (file === undefined) continue;
      const distance = Math.abs(file.length - length);
      const nearest = best === undefined ? Number.POSITIVE_INFINITY : Math.abs(best.length - length);
      if (distance < nearest || (distance === nearest && best && comparePaths(file.path, best.path) > 0)) best = file;
    }
    return best;
  }
}

function exactly({ entry }: OldFile, from: number, to: number): BaseRange {
  return { entry, offset: from, length: to - from };
}

/** The place itself, and some more to both sides. */
function around({ entry, length: all }: OldFile, from: number, length: number): BaseRange | undefined {
  const offset = Math.max(0, from - unitSlack);
  const end = Math.min(all, from + length + unitSlack);
  return end > offset ? { entry, offset, length: end - offset } : undefined;
}

/** The part of a region from one share of it to another, with slack where it is long. */
function partOf({ entry, offset, length }: BaseRange, from: number, to: number): BaseRange {
  if (from === 0 && to === 1 && length <= unitLength * 2) return { entry, offset, length };
  const begin = Math.max(0, Math.floor(length * from) - unitSlack);
  // Where much was taken out of a file, little is left of it to be like what came: its beginning must do.
  const end = Math.min(length, Math.ceil(length * to) + unitSlack, begin + partLimit);
  return { entry, offset: offset + begin, length: end - begin };
}

function keyOf(hash: Uint8Array): string {
  return Buffer.from(hash.buffer, hash.byteOffset, hash.byteLength).toString('latin1');
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Most keys have one value: a list for each would take more memory than all else. */
function push(map: Map<string, number | number[]>, key: string, value: number): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, value);
  else if (typeof known === 'number') map.set(key, [known, value]);
  else known.push(value);
}
