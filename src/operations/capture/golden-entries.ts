import { join } from 'node:path';
import { displayPath, type RawPath } from '../../foundation/brand.ts';
import type { Task } from '../../foundation/task.ts';
import { comparePaths, type Entry, type EntryType } from '../../image/entry.ts';
import { sameMoment } from '../../image/timestamp.ts';
import type { ListedPath } from '../../machine/golden-listing.ts';
import { type SelectedPath, type SelectionRules, selectInOrder } from '../../machine/selection.ts';
import type { Golden } from '../../system/golden.ts';
import { EntrySpool, type SpoolReader } from './entry-spool.ts';
import { type ContentSink, type FetchedPath, fetchPaths } from './golden-archive.ts';
import { type LaterListing, listAgain, listAll } from './golden-listings.ts';
import { type ListingTable, rowStates } from './listing-table.ts';

export interface GoldenCaptureOptions {
  golden: Golden;
  rules: SelectionRules;
  /** It is a snapshot: nothing changes while it is read. */
  isStill: boolean;
  /** What the version before has for a path, where nothing changed since; asked in manifest order. */
  known?: (listed: ListedPath) => Entry | undefined | Promise<Entry | undefined>;
  sink: ContentSink;
  /** A directory for what is put aside, which goes by itself. */
  directory: string;
  task: Task;
}

/** A tree whose content is read; its entries are given out once. */
export interface GoldenTree extends AsyncDisposable {
  /**
   * In manifest order, each batch with what was listed last of its entries, by index: undefined for a file that would not hold still. What is
   * said below is complete when they have ended.
   */
  entries(): AsyncGenerator<{ entries: Entry[]; listed: (ListedPath | undefined)[] }>;
  readonly scrubbed: RawPath[];
  readonly suspects: RawPath[];
  readonly warnings: string[];
  /** Files that were taken as known. */
  readonly unchangedFiles: number;
}

/** How often what changed while it was read is read again. */
const rounds = 3;
const batchLength = 512;
const typeOfLetter: Readonly<Record<string, EntryType>> = {
  f: 'file',
  d: 'directory',
  l: 'symlink',
  b: 'block',
  c: 'character',
  p: 'fifo',
  s: 'socket',
};

/**
 * The whole tree of a golden machine that runs: listed, read, listed again, and what changed in between read again, until nothing
 * does or three rounds are over. What would not hold still is kept as it was read last, and told in `warnings`. Memory: some 150 bytes for
 * each path; entries wait in files.
 */
export async function captureGoldenTree(options: GoldenCaptureOptions): Promise<GoldenTree> {
  const { golden, rules, task, directory } = options;
  const table = await task.part('list', (part) => listAll(golden, rules, part));
  const known = await EntrySpool.create(join(directory, 'entries-known'));
  const fetched = await EntrySpool.create(join(directory, 'entries-fetched'));
  const reading = new GoldenReading(options, table, known, fetched);
  try {
    await reading.readAll();
    if (!options.isStill) await reading.readAgain();
    return reading;
  } catch (error) {
    await reading[Symbol.asyncDispose]();
    throw error;
  }
}

class GoldenReading implements GoldenTree {
  readonly scrubbed: RawPath[] = [];
  readonly suspects: RawPath[] = [];
  readonly warnings: string[] = [];
  unchangedFiles = 0;
  readonly #options: GoldenCaptureOptions;
  readonly #table: ListingTable;
  readonly #known: EntrySpool;
  readonly #fetched: EntrySpool;
  /** What was read later than in the first pass, or came otherwise than it was listed. */
  readonly #overrides = new Map<RawPath, FetchedPath>();
  /** Change times that were others when a path was read in the first pass than when it was listed. */
  readonly #otherTimes = new Map<RawPath, FetchedPath['ctime']>();
  readonly #complaints = new Set<string>();
  #started = longAfter;
  #later: LaterListing | undefined;
  #unsettled: ListedPath[] = [];

  constructor(options: GoldenCaptureOptions, table: ListingTable, known: EntrySpool, fetched: EntrySpool) {
    this.#options = options;
    this.#table = table;
    this.#known = known;
    this.#fetched = fetched;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#known[Symbol.asyncDispose]();
    await this.#fetched[Symbol.asyncDispose]();
  }

  /** The first pass: everything that is not known. */
  async readAll(): Promise<void> {
    const { known, golden, sink, task } = this.#options;
    const table = this.#table;
    let bytes = 0;
    let wanted = 0;
    for (const { row, selected } of this.#selected()) {
      const { listed, how } = selected;
      if (how !== 'content') continue;
      const asked = known?.(listed);
      const entry = asked instanceof Promise ? await asked : asked;
      table.setState(row, entry === undefined ? rowStates.wanted : rowStates.known);
      if (entry !== undefined) await this.#known.add(entry);
      else {
        wanted += 1;
        bytes += listed.type === 'f' ? listed.size : 0;
      }
    }
    await this.#known.finish();
    await task.part('read', async (part) => {
      part.expect(bytes, 'bytes');
      if (wanted === 0) return;
      const isWanted = (path: RawPath) => {
        const row = table.find(path);
        return row >= 0 && table.state(row) === rowStates.wanted;
      };
      const take = (fetched: FetchedPath, stored: Promise<void> | undefined) => this.#take(fetched, stored);
      for (const said of await fetchPaths(golden, this.#wantedPaths(), isWanted, sink, take, part))
        this.#complaints.add(said);
      await this.#fetched.finish();
    });
  }

  /** Looks for what changed meanwhile, and reads it again. */
  async readAgain(): Promise<void> {
    const { golden, rules, sink, task } = this.#options;
    for (let round = 0; ; round += 1) {
      this.#later = await task.part('look for changes', (part) => listAgain(golden, rules, this.#table, part));
      const last = round === rounds;
      this.#unsettled = [];
      for (const { row, selected } of this.#selected()) {
        if (selected.how === 'content' && !this.#isSettled(selected.listed, row, last))
          this.#unsettled.push(selected.listed);
      }
      if (this.#unsettled.length === 0 || last) return;
      const wanted = new Set(this.#unsettled.map(({ path }) => path));
      await task.part(`read again what changed (${round + 1})`, async (part) => {
        part.expect(
          this.#unsettled.reduce((sum, { type, size }) => sum + (type === 'f' ? size : 0), 0),
          'bytes',
        );
        const storing: Promise<void>[] = [];
        const take = (fetched: FetchedPath, stored: Promise<void> | undefined) => {
          this.#overrides.set(fetched.entry.path, fetched);
          if (stored !== undefined) storing.push(stored);
          return undefined;
        };
        for (const said of await fetchPaths(golden, wanted, (path) => wanted.has(path), sink, take, part))
          this.#complaints.add(said);
        await Promise.all(storing);
      });
    }
  }

  async *entries(): AsyncGenerator<{ entries: Entry[]; listed: (ListedPath | undefined)[] }> {
    const unsettled = new Set(this.#unsettled.map(({ path }) => path));
    const missing = new Set<RawPath>();
    const [known, fetched] = [this.#known.reader(), this.#fetched.reader()];
    let batch = { entries: [] as Entry[], listed: [] as (ListedPath | undefined)[] };
    for (const { row, selected } of this.#selected(this)) {
      const { listed, how, first } = selected;
      const { path } = listed;
      const entry = how === 'content' ? await this.#contentOf(path, row, known, fetched) : entryFor(selected);
      if (entry === undefined || isBelowMissing(path, missing) || (first !== undefined && missing.has(first))) {
        missing.add(path);
        continue;
      }
      batch.entries.push(entry);
      batch.listed.push(unsettled.has(path) ? undefined : listed);
      if (batch.entries.length < batchLength) continue;
      yield batch;
      batch = { entries: [], listed: [] };
    }
    yield batch;
    this.#warn(missing);
  }

  /** The entry of a path whose content was to be read; files that were taken as known are counted. */
  async #contentOf(path: RawPath, row: number, known: SpoolReader, fetched: SpoolReader): Promise<Entry | undefined> {
    const override = this.#overrides.get(path);
    if (override !== undefined || row < 0) return override?.entry;
    const state = this.#table.state(row);
    if (state === rowStates.fetched) return fetched.take(path);
    if (state !== rowStates.known) return undefined;
    const entry = await known.take(path);
    if (entry?.type === 'file') this.unchangedFiles += 1;
    return entry;
  }

  #take(fetched: FetchedPath, stored: Promise<void> | undefined): Promise<void> | undefined {
    const { entry, ctime, started } = fetched;
    const row = this.#table.find(entry.path);
    const listed = this.#table.listed(row);
    if (entry.type !== typeOfLetter[listed.type] || entry.path.length > spooledPath) {
      this.#overrides.set(entry.path, fetched);
      return stored;
    }
    if (!sameMoment(ctime, listed.ctime)) this.#otherTimes.set(entry.path, ctime);
    this.#started = started;
    this.#table.setState(row, rowStates.fetched);
    return this.#fetched.add(entry, stored);
  }

  /**
   * True where the path has not changed since just before it was read. A change time is only as fine as the kernel's tick: a file that
   * changed within the tick in which it was read may look unchanged, so that one that changed just before is read once more.
   */
  #isSettled(listed: ListedPath, row: number, last: boolean): boolean {
    const read = this.#whenRead(listed, row);
    if (read === undefined || !sameMoment(listed.ctime, read.ctime)) return false;
    if (last || listed.type !== 'f') return true;
    const tick = listed.ctime.nanoseconds === 0 ? 2.5 : 0.1;
    const age =
      read.started.seconds - listed.ctime.seconds + (read.started.nanoseconds - listed.ctime.nanoseconds) / 1e9;
    return age > tick;
  }

  #whenRead(listed: ListedPath, row: number): Pick<FetchedPath, 'ctime' | 'started'> | undefined {
    const override = this.#overrides.get(listed.path);
    if (override !== undefined) return override.entry.type === typeOfLetter[listed.type] ? override : undefined;
    const state = row < 0 ? rowStates.untouched : this.#table.state(row);
    if (state !== rowStates.known && state !== rowStates.fetched) return undefined;
    const before = this.#table.listed(row);
    if (before.type !== listed.type) return undefined;
    if (state === rowStates.known) return { ctime: before.ctime, started: longAfter };
    return { ctime: this.#otherTimes.get(listed.path) ?? before.ctime, started: this.#started };
  }

  *#wantedPaths(): Generator<RawPath> {
    for (const row of this.#table.order) {
      if (this.#table.state(row) === rowStates.wanted) yield this.#table.path(row);
    }
  }

  /** What a version takes, by the newest listing, with the row of each path (-1: it was not there at first). */
  *#selected(found: { scrubbed: RawPath[]; suspects: RawPath[] } = { scrubbed: [], suspects: [] }) {
    let row = -1;
    const table = this.#table;
    const later = this.#later;
    const added = [...(later?.changed.values() ?? [])]
      .filter(({ path }) => table.find(path) < 0)
      .sort((left, right) => comparePaths(left.path, right.path));
    function* newest(): Generator<ListedPath> {
      let next = 0;
      for (const each of table.order) {
        if (later !== undefined && later.seen[each] === 0) continue;
        const listed = table.listed(each);
        for (; next < added.length && comparePaths((added[next] as ListedPath).path, listed.path) < 0; next += 1) {
          row = -1;
          yield added[next] as ListedPath;
        }
        row = each;
        yield later?.changed.get(listed.path) ?? listed;
      }
      row = -1;
      yield* added.slice(next);
    }
    for (const selected of selectInOrder(newest(), this.#options.rules, found)) yield { row, selected };
  }

  #warn(missing: ReadonlySet<RawPath>): void {
    for (const path of missing) {
      const name = displayPath(path);
      const reason = [...this.#complaints]
        .find((complaint) => complaint.startsWith(`./${path}: `))
        ?.slice(path.length + 4);
      this.warnings.push(
        `${name} could not be read and is not in the version${reason === undefined ? '' : `: ${reason}`}`,
      );
    }
    for (const { path, type } of this.#unsettled) {
      if (type !== 'f' || missing.has(path)) continue;
      this.warnings.push(`${displayPath(path)} kept changing; the version holds it as it was read last`);
    }
  }
}

const longAfter = { seconds: Number.MAX_SAFE_INTEGER, nanoseconds: 0 };
/** Longer paths come from the golden machine out of order. */
const spooledPath = 4000;

/** The entry of what is not read: the listing says all. */
function entryFor({ listed, how, first }: SelectedPath): Entry | undefined {
  const { path, mode, uid, gid, mtime } = listed;
  const type = how === 'link' ? 'hardlink' : typeOfLetter[listed.type];
  if (type === undefined) return undefined;
  if (how === 'empty') return { path, type: 'file', mode, uid, gid, mtime, size: 0, chunks: [] };
  return { path, type, mode, uid, gid, mtime, ...(first === undefined ? {} : { target: first }) };
}

function isBelowMissing(path: RawPath, missing: ReadonlySet<RawPath>): boolean {
  if (missing.size === 0) return false;
  for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
    if (missing.has(path.slice(0, slash) as RawPath)) return true;
  }
  return false;
}
