import { setImmediate } from 'node:timers/promises';
import type { RawPath } from '../../../foundation/brand.ts';
import { comparePaths, type Entry } from '../../../image/entry.ts';
import type { PathArea } from '../../../machine/own-paths.ts';
import { type FileStatus, isDirectory, status } from '../../../native/status.ts';
import type { LocalState } from '../../../planning/choose-change.ts';
import { hasTime } from '../../../tree/entry-attributes.ts';
import { type WalkedEntry, walk } from '../../../tree/walk.ts';
import { EntryCursor, linkedEntries, sameEntries } from './entry-cursor.ts';
import { LocalComparer, type LocalDifference } from './local-state.ts';
import { look } from './root-paths.ts';

/** A path as the version that runs, the new version and the machine have it. */
export interface ComparedPath {
  path: RawPath;
  before?: Entry;
  after?: Entry;
  actual?: FileStatus;
  area: PathArea;
  /** Whether the two versions differ in it. */
  differs: boolean;
  local: LocalState;
  /** Where the machine changed it: in what. */
  changes: LocalDifference[];
}

export interface CompareRootOptions {
  /** Absolute, raw. */
  root: RawPath;
  /** The version that the root was made from; the same as `after` to see drift alone. */
  before: () => AsyncIterable<Entry[]>;
  after: () => AsyncIterable<Entry[]>;
  areas: (path: RawPath, directory: boolean) => PathArea;
  signal: AbortSignal;
}

/** First names of files that have several, in each version. */
export interface LinkedFiles {
  before: ReadonlyMap<RawPath, Entry>;
  after: ReadonlyMap<RawPath, Entry>;
}

const breath = 4096;

/**
 * All paths that one of the three knows, in order: two manifests and the tree side by side. What is the machine's own is told only where a version
 * has it; what other file systems are mounted on is entered by nobody (`actual` is then of another `mountId` or device).
 */
export async function* compareRoot(
  options: CompareRootOptions,
  onLinked: (linked: LinkedFiles) => void = () => {},
): AsyncGenerator<ComparedPath> {
  const { root, areas, signal } = options;
  const linked = { before: await linkedEntries(options.before), after: await linkedEntries(options.after) };
  onLinked(linked);
  const comparers = { before: new LocalComparer(linked.before), after: new LocalComparer(linked.after) };
  const before = new EntryCursor(options.before());
  const after = new EntryCursor(options.after());
  const found = walk(root, { exclude: (path, directory) => isForeign(areas(path, directory)) });
  const nextFound = () => {
    const next = found.next();
    if (next.done) return undefined;
    comparers.before.see(next.value);
    comparers.after.see(next.value);
    return next.value;
  };
  try {
    let walked = nextFound();
    for (let count = 1; ; count += 1) {
      if (before.needsFill) await before.fill();
      if (after.needsFill) await after.fill();
      if (count % breath === 0) {
        await setImmediate();
        signal.throwIfAborted();
      }
      const path = least(before.entry?.path, after.entry?.path, walked?.path);
      if (path === undefined) return;
      const one = before.entry?.path === path ? before.entry : undefined;
      const other = after.entry?.path === path ? after.entry : undefined;
      const here = walked?.path === path ? walked : undefined;
      if (one !== undefined) before.next();
      if (other !== undefined) after.next();
      const differs = one === undefined || other === undefined || !sameEntries(one, other, linked.before, linked.after);
      yield compared(path, one, other, here ?? foreign(root, path, areas, one, other), differs, areas, comparers);
      if (here !== undefined) walked = nextFound();
    }
  } finally {
    found.return(undefined);
    await before.close();
    await after.close();
  }
}

function compared(
  path: RawPath,
  before: Entry | undefined,
  after: Entry | undefined,
  walked: WalkedEntry | undefined,
  differs: boolean,
  areas: CompareRootOptions['areas'],
  comparers: { before: LocalComparer; after: LocalComparer },
): ComparedPath {
  const directory =
    (before ?? after)?.type === 'directory' || (walked !== undefined && isDirectory(walked.status.mode));
  const area = areas(path, directory);
  const base = {
    path,
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
    ...(walked === undefined ? {} : { actual: walked.status }),
    area,
    differs,
  };
  if (walked === undefined) return { ...base, local: 'missing', changes: [] };
  if (isForeign(area)) return { ...base, local: 'changed', changes: [] };
  const changes = before === undefined ? [] : comparers.before.differences(before, walked);
  if (before !== undefined && changes.length === 0 && !differs) return { ...base, local: 'same', changes };
  if (after !== undefined && isWanted(after, walked, comparers.after)) return { ...base, local: 'wanted', changes: [] };
  const local = before !== undefined && changes.length === 0 ? 'same' : 'changed';
  return { ...base, local, changes };
}

/** As the new version has it to the last attribute, the time included. */
function isWanted(entry: Entry, walked: WalkedEntry, comparer: LocalComparer): boolean {
  // The attributes of a hard link are those of its first name, and are told there.
  if (entry.type !== 'hardlink' && !hasTime(entry, walked.status)) return false;
  return comparer.differences(entry, walked).length === 0;
}

/** What is at a path of the machine's own, which the walk passed over. */
function foreign(
  root: RawPath,
  path: RawPath,
  areas: CompareRootOptions['areas'],
  before: Entry | undefined,
  after: Entry | undefined,
): WalkedEntry | undefined {
  if (!isForeign(areas(path, (before ?? after)?.type === 'directory'))) return undefined;
  const absolute = `${root === '/' ? '' : root}/${path}` as RawPath;
  const there = look(absolute);
  return there === undefined ? undefined : { path, absolute, status: there };
}

function isForeign(area: PathArea): boolean {
  return area === 'own' || area === 'imprint';
}

function least(...paths: (RawPath | undefined)[]): RawPath | undefined {
  let found: RawPath | undefined;
  for (const path of paths)
    if (path !== undefined && (found === undefined || comparePaths(path, found) < 0)) found = path;
  return found;
}

/** Whether a path lies on the root's own file system and mount. */
export function isOnRoot(root: RawPath): (found: FileStatus) => boolean {
  const top = status(root);
  return (found) => found.device === top.device && (top.mountId === 0 || found.mountId === top.mountId);
}
