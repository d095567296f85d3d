import { displayPath, type RawPath } from '../../foundation/brand.ts';
import type { Task } from '../../foundation/task.ts';
import type { Entry, EntryType } from '../../image/entry.ts';
import { sameMoment } from '../../image/timestamp.ts';
import type { ListedPath } from '../../machine/golden-listing.ts';
import {
  excludeSieve,
  type SelectedPath,
  type Selection,
  type SelectionRules,
  selectPaths,
} from '../../machine/selection.ts';
import type { Golden } from '../../system/golden.ts';
import { type ContentSink, type FetchedPath, fetchPaths } from './golden-archive.ts';

export interface GoldenCaptureOptions {
  golden: Golden;
  rules: SelectionRules;
  /** It is a snapshot: nothing changes while it is read. */
  isStill: boolean;
  /** What the version before has for a path, where nothing changed since; asked in manifest order. */
  known?: (listed: ListedPath) => Promise<Entry | undefined>;
  sink: ContentSink;
  task: Task;
}

export interface GoldenTree {
  /** In manifest order. */
  entries: Entry[];
  /** The last listing of what `entries` holds, in the same order. */
  listing: ListedPath[];
  scrubbed: RawPath[];
  suspects: RawPath[];
  warnings: string[];
  /** Files that would not hold still. */
  unsettled: ReadonlySet<RawPath>;
  /** Files that were taken as known. */
  unchangedFiles: number;
}

/** How often what changed while it was read is read again. */
const rounds = 3;
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
 * does or three rounds are over. What would not hold still is kept as it was read last, and told in `warnings`.
 */
export async function captureGoldenTree(options: GoldenCaptureOptions): Promise<GoldenTree> {
  const { golden, rules, sink, task } = options;
  const fetched = new Map<RawPath, FetchedPath>();
  const complaints = new Set<string>();
  const known = new Map<RawPath, Entry>();
  let selection = await task.part('list', (part) => list(golden, rules, part));
  if (options.known !== undefined) {
    for (const { listed, how } of selection.paths) {
      const entry = how === 'content' ? await options.known(listed) : undefined;
      if (entry === undefined) continue;
      known.set(listed.path, entry);
      fetched.set(listed.path, { entry, ctime: listed.ctime, started: longAfter });
    }
  }
  let unsettled = contentOf(selection).filter(({ path }) => !fetched.has(path));
  for (let round = 0; ; round += 1) {
    const name = round === 0 ? 'read' : `read again what changed (${round})`;
    const wanted = unsettled.map(({ path }) => path);
    const bytes = unsettled.reduce((sum, { type, size }) => sum + (type === 'f' ? size : 0), 0);
    // The listing may be large; the next one must not stand beside it in memory.
    selection = emptySelection;
    unsettled = [];
    await task.part(name, async (part) => {
      part.expect(bytes, 'bytes');
      for (const complaint of await fetchPaths(golden, wanted, sink, fetched, part)) complaints.add(complaint);
    });
    const what = options.isStill ? 'list what was read' : 'look for changes';
    selection = await task.part(what, (part) => list(golden, rules, part));
    const last = options.isStill || round === rounds;
    unsettled = contentOf(selection).filter((listed) => !isSettled(listed, fetched.get(listed.path), last));
    if (unsettled.length === 0 || last) break;
  }
  return assemble(selection, fetched, unsettled, [...complaints], known);
}

const emptySelection: Selection = { paths: [], scrubbed: [], suspects: [] };
const longAfter = { seconds: Number.MAX_SAFE_INTEGER, nanoseconds: 0 };

async function list(golden: Golden, rules: SelectionRules, task: Task): Promise<Selection> {
  const listing: ListedPath[] = [];
  task.expect(0, 'files');
  const keeps = excludeSieve(rules.excluder);
  for await (const records of golden.list([...rules.leftOut, ...rules.notEntered])) {
    task.signal.throwIfAborted();
    for (const record of records) if (keeps(record)) listing.push(record);
    task.advance(records.length);
  }
  return selectPaths(listing, rules);
}

function contentOf(selection: Selection): ListedPath[] {
  return selection.paths.filter(({ how }) => how === 'content').map(({ listed }) => listed);
}

/**
 * True where the path has not changed since just before it was read. A change time is only as fine as the kernel's tick: a file that
 * changed within the tick in which it was read may look unchanged, so that one that changed just before is read once more.
 */
function isSettled(listed: ListedPath, fetched: FetchedPath | undefined, last: boolean): boolean {
  if (fetched === undefined || fetched.entry.type !== typeOfLetter[listed.type]) return false;
  if (!sameMoment(listed.ctime, fetched.ctime)) return false;
  if (last || listed.type !== 'f') return true;
  const tick = listed.ctime.nanoseconds === 0 ? 2.5 : 0.1;
  const age =
    fetched.started.seconds - listed.ctime.seconds + (fetched.started.nanoseconds - listed.ctime.nanoseconds) / 1e9;
  return age > tick;
}

function assemble(
  selection: Selection,
  fetched: ReadonlyMap<RawPath, FetchedPath>,
  unsettled: readonly ListedPath[],
  complaints: readonly string[],
  known: ReadonlyMap<RawPath, Entry>,
): GoldenTree {
  const tree: GoldenTree = {
    entries: [],
    listing: [],
    scrubbed: selection.scrubbed,
    suspects: selection.suspects,
    warnings: [],
    unsettled: new Set(unsettled.map(({ path }) => path)),
    unchangedFiles: 0,
  };
  const missing = new Set<RawPath>();
  for (const selected of selection.paths) {
    const entry = entryFor(selected, fetched);
    if (
      entry === undefined ||
      isBelowMissing(selected.listed.path, missing) ||
      missing.has(selected.first ?? notAPath)
    ) {
      missing.add(selected.listed.path);
      continue;
    }
    if (entry.type === 'file' && known.get(entry.path) === entry) tree.unchangedFiles += 1;
    tree.entries.push(entry);
    tree.listing.push(selected.listed);
  }
  for (const path of missing) {
    const name = displayPath(path);
    const reason = complaints.find((complaint) => complaint.startsWith(`./${path}: `))?.slice(path.length + 4);
    tree.warnings.push(
      `${name} could not be read and is not in the version${reason === undefined ? '' : `: ${reason}`}`,
    );
  }
  for (const { path, type } of unsettled) {
    if (type !== 'f' || missing.has(path)) continue;
    tree.warnings.push(`${displayPath(path)} kept changing; the version holds it as it was read last`);
  }
  return tree;
}

const notAPath = '\0' as RawPath;

function entryFor({ listed, how, first }: SelectedPath, fetched: ReadonlyMap<RawPath, FetchedPath>): Entry | undefined {
  if (how === 'content') return fetched.get(listed.path)?.entry;
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
