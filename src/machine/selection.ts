import type { RawPath } from '../foundation/brand.ts';
import { comparePaths } from '../image/entry.ts';
import type { Excluder } from './exclude.ts';
import type { ListedPath } from './golden-listing.ts';
import type { SecretFinder } from './secrets.ts';

/** What decides over each path of a source. */
export interface SelectionRules {
  excluder: Excluder;
  /** Absent: nothing is scrubbed. */
  secrets?: SecretFinder;
  /** Mount points whose file systems are left out, relative to the root. */
  leftOut: ReadonlySet<RawPath>;
  /** Directories that need not be entered because of the excluder (`plainDirectories`). */
  notEntered: readonly RawPath[];
}

/** How one path goes into the version. */
export interface SelectedPath {
  listed: ListedPath;
  /**
   * `content`: everything is read, by tar. `listed`: what the listing says is all there is (sockets, which tar passes over; mount
   * points, whose own directory lies hidden). `empty`: a secret that stays as an empty file. `link`: another name of `first`.
   */
  how: 'content' | 'listed' | 'empty' | 'link';
  first?: RawPath;
}

export interface Selection {
  /** In manifest order. */
  paths: SelectedPath[];
  /** Secrets that were left out or emptied. */
  scrubbed: RawPath[];
  /** Paths that may hold secrets, and were kept. */
  suspects: RawPath[];
}

/**
 * A first sieve for a listing as it comes, each directory just before what is in it, as find walks: drops what the excluder leaves out, so
 * that it is not kept in memory.
 */
export function excludeSieve(excluder: Excluder): (listed: ListedPath) => boolean {
  let skipped: string | undefined;
  return ({ path, type }) => {
    if (skipped !== undefined && path.startsWith(skipped)) return false;
    if (path === '' || !excluder.excludes(path, type === 'd')) return true;
    if (type === 'd') skipped = `${path}/`;
    return false;
  };
}

/** Chooses from a listing, in any order, what a version takes. Duplicates (a path listed twice) count once. */
export function selectPaths(listing: Iterable<ListedPath>, rules: SelectionRules): Selection {
  const sorted = [...listing].sort((left, right) => comparePaths(left.path, right.path));
  const found = { scrubbed: [], suspects: [] };
  return { ...found, paths: [...selectInOrder(sorted, rules, found)] };
}

/** The same for a listing in manifest order, path by path; what are or may be secrets goes to `found`. */
export function* selectInOrder(
  sorted: Iterable<ListedPath>,
  rules: SelectionRules,
  found: Omit<Selection, 'paths'>,
): Generator<SelectedPath> {
  const firstNames = new Map<string, RawPath>();
  let skipped: string | undefined;
  let before: RawPath | undefined;
  for (const listed of sorted) {
    const { path, type } = listed;
    if (path === before || (skipped !== undefined && path.startsWith(skipped))) continue;
    before = path;
    const isDirectory = type === 'd';
    if (path !== '' && rules.excluder.excludes(path, isDirectory)) {
      skipped = `${path}/`;
      continue;
    }
    const action = rules.secrets?.find(path, isDirectory, type === 'f');
    if (action !== undefined) found.scrubbed.push(path);
    if (action === 'remove') {
      skipped = `${path}/`;
      continue;
    }
    if (action === 'empty') {
      yield { listed, how: 'empty' };
      continue;
    }
    if (rules.secrets?.isSuspect(path)) found.suspects.push(path);
    if (!isDirectory && listed.links > 1) {
      const key = `${listed.device}:${listed.inode}`;
      const first = firstNames.get(key);
      if (first !== undefined) {
        yield { listed, how: 'link', first };
        continue;
      }
      firstNames.set(key, path);
    }
    yield { listed, how: type === 's' || rules.leftOut.has(path) ? 'listed' : 'content' };
  }
}
