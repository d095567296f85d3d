import { displayPath, type RawPath } from '../../../foundation/brand.ts';
import { comparePaths, type Entry } from '../../../image/entry.ts';
import { isDirectory } from '../../../native/status.ts';
import { type Choice, chooseChange, type DriftMode } from '../../../planning/choose-change.ts';
import { type ComparedPath, isOnRoot, type LinkedFiles } from './compare-root.ts';
import { identityOf } from './entry-cursor.ts';
import type { DriftItem, InPlacePlan, PlannedPath } from './in-place-plan.ts';
import { mountedProblem } from './other-file-systems.ts';
import { look } from './root-paths.ts';

/** A path whose content three sides wrote, and where it stands in the plan. */
export interface PlannedMerge {
  planned: PlannedPath;
  drift: DriftItem;
  /** Absent where both sides added it. */
  before?: Entry;
  after: Entry;
}

/** Members of the files of the new version that have several names, as they come by. */
interface Group {
  members: { compared: ComparedPath; choice: Choice; planned?: PlannedPath }[];
}

/** Makes a plan of paths that come in order. */
export class PlanBuilder {
  readonly merges: PlannedMerge[] = [];
  readonly #root: RawPath;
  readonly #mode: DriftMode;
  readonly #isOnRoot: ReturnType<typeof isOnRoot>;
  readonly #paths: PlannedPath[] = [];
  readonly #directories = new Map<RawPath, Entry>();
  readonly #drift: DriftItem[] = [];
  readonly #problems: string[] = [];
  readonly #warnings: string[] = [];
  readonly #groups = new Map<RawPath, Group>();
  #linked: LinkedFiles = { before: new Map(), after: new Map() };
  /** What lies below is another file system's, or below what the machine made something else of. */
  #skipped: { below: string; mounted: boolean; told: boolean } | undefined;
  /** A directory that becomes something else. */
  #vanishing: string | undefined;

  constructor(root: RawPath, mode: DriftMode) {
    this.#root = root;
    this.#mode = mode;
    this.#isOnRoot = isOnRoot(root);
  }

  setLinked(linked: LinkedFiles): void {
    this.#linked = linked;
  }

  add(compared: ComparedPath): void {
    const { path, before, after, actual, area } = compared;
    if (this.#isSkipped(compared) || area === 'imprint') return;
    if (actual !== undefined && !this.#isOnRoot(actual)) {
      this.#skip(path, true);
      if (!isDirectory(actual.mode)) this.#refuseMounted(path, compared);
      return;
    }
    if (this.#vanishing !== undefined && !path.startsWith(this.#vanishing)) this.#vanishing = undefined;
    if (area === 'own') {
      const fresh = before === undefined && after !== undefined && actual === undefined;
      if (fresh && this.#isWayOpen(path)) this.#put(compared, after);
      return;
    }
    const choice = this.#choose(compared);
    this.#note(compared, choice);
    if (this.#vanishing !== undefined && actual !== undefined && choice !== 'remove')
      this.#problems.push(`${name(path)} is the machine’s, and ${name(this.#vanishing)} becomes something else`);
    const turns = before?.type === 'directory' && after !== undefined && after.type !== 'directory';
    if (turns && choice === 'put') this.#vanishing = `${path}/`;
    if (this.#staysOther(compared, choice)) this.#skip(path, false);
    if (after?.type === 'directory' && compared.local !== 'changed') this.#directories.set(path, after);
    this.#enter(compared, choice);
  }

  finish(): Pick<InPlacePlan, 'paths' | 'directories' | 'drift' | 'counts' | 'problems' | 'warnings'> {
    this.#closeGroups();
    const paths = this.#paths;
    const counts = { added: 0, changed: 0, removed: 0, bytes: 0 };
    for (const { wanted, present, directory, link } of paths) {
      if (wanted?.type === 'directory' || (wanted === undefined && directory)) continue;
      if (wanted === undefined) counts.removed += 1;
      else counts[present ? 'changed' : 'added'] += 1;
      if (wanted !== undefined && link === undefined) counts.bytes += contentLength(wanted);
    }
    const { drift, problems, warnings } = { drift: this.#drift, problems: this.#problems, warnings: this.#warnings };
    return { paths, directories: this.#directories, drift, counts, problems, warnings };
  }

  #choose({ before, after, differs, local, area, actual }: ComparedPath): Choice {
    const situation = {
      before: before !== undefined,
      after: after !== undefined,
      differs,
      local,
      area: area === 'configuration' ? area : ('program' as const),
    };
    const choice = chooseChange(situation, this.#mode);
    if (actual === undefined || choice === 'nothing' || local === 'same') return choice;
    const there = isDirectory(actual.mode);
    const versions = (after ?? before)?.type === 'directory';
    // A directory of the machine where the version has none stays in any case; so does, unless told otherwise, what people put in place of a directory.
    if (there && !versions) return 'keep';
    if (!there && versions && this.#mode !== 'overwrite') return 'keep';
    // Of a directory only attributes can differ; these are people's where it is configuration.
    if (there && (choice === 'merge' || choice === 'beside')) return 'keep';
    return choice;
  }

  #enter(compared: ComparedPath, choice: Choice): void {
    const { path, before, after, actual } = compared;
    const file = after === undefined ? undefined : identityOf(after, this.#linked.after);
    if (after !== undefined && (after.type === 'hardlink' || this.#linked.after.has(path))) {
      const first = (after.target ?? path) as RawPath;
      const group = this.#groups.get(first) ?? { members: [] };
      this.#groups.set(first, group);
      const planned = choice === 'put' ? this.#put(compared, after) : undefined;
      group.members.push({ compared, choice, ...(planned === undefined ? {} : { planned }) });
      // Several names are not merged: it would have to be seen from all of them.
      const drift = this.#drift.at(-1);
      if ((choice === 'merge' || choice === 'beside') && drift !== undefined) drift.choice = 'keep';
      return;
    }
    if (choice === 'put' && after !== undefined) this.#put(compared, after);
    if (choice === 'remove') this.#paths.push(plannedOf(compared));
    if ((choice !== 'merge' && choice !== 'beside') || after === undefined) return;
    // An entry of its own, for what a merge gives or what is put beside; it is taken out again where neither comes of it.
    const planned = this.#put(compared, after);
    const drift = this.#drift.at(-1);
    if (drift === undefined || file === undefined || actual === undefined) return;
    this.merges.push({ planned, drift, ...(before === undefined ? {} : { before }), after: file });
  }

  #put(compared: ComparedPath, after: Entry): PlannedPath {
    const { path } = compared;
    const identity = identityOf(after, this.#linked.after);
    const planned: PlannedPath = { ...plannedOf(compared), wanted: { ...identity, path } };
    this.#paths.push(planned);
    if (after.type === 'directory') this.#directories.set(path, after);
    return planned;
  }

  /** Names that belong to one file are put together: one of them alone would be a file of its own. */
  #closeGroups(): void {
    let added = false;
    for (const { members } of this.#groups.values()) {
      if (!members.some(({ planned }) => planned !== undefined)) continue;
      let leader: RawPath | undefined;
      for (const member of members) {
        const { compared, choice } = member;
        if (choice !== 'put' && choice !== 'nothing') continue;
        if (member.planned === undefined && compared.after !== undefined) {
          member.planned = this.#put(compared, compared.after);
          added = true;
        }
        if (member.planned === undefined) continue;
        if (leader === undefined) leader = member.planned.path;
        else member.planned.link = leader;
      }
    }
    if (added) this.#paths.sort((one, other) => comparePaths(one.path, other.path));
  }

  #note({ path, before, actual, area, local, changes }: ComparedPath, choice: Choice): void {
    if (local === 'same' || local === 'wanted') return;
    if (before === undefined && actual === undefined) return;
    const kind = before === undefined ? 'added' : actual === undefined ? 'missing' : 'changed';
    // What the machine removed and the new version does not have either.
    if (kind === 'missing' && choice === 'nothing') return;
    if (area === 'own') return;
    this.#drift.push({ path, kind, changes, choice });
  }

  #isSkipped(compared: ComparedPath): boolean {
    const skipped = this.#skipped;
    if (skipped === undefined) return false;
    const { path, differs, after, before } = compared;
    if (!path.startsWith(skipped.below)) {
      this.#skipped = undefined;
      return false;
    }
    if (skipped.told) return true;
    if (skipped.mounted) skipped.told = this.#refuseMounted(skipped.below, compared);
    else if (differs && (after ?? before) !== undefined) {
      this.#warnings.push(`${name(skipped.below)} stays as it is: the machine has something else there`);
      skipped.told = true;
    }
    return true;
  }

  /** What lies on another file system cannot change together with the root: half of a version would be none. True where that is so here. */
  #refuseMounted(below: string, { area, differs }: ComparedPath): boolean {
    if (!differs || area === 'own' || area === 'imprint' || hiddenAlways.test(below)) return false;
    this.#problems.push(mountedProblem(name(below), 'the version changes what is in it'));
    return true;
  }

  /** Whether nothing but directories, or nothing at all, is on the way to a path that is not there. */
  #isWayOpen(path: RawPath): boolean {
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const found = look(`${this.#root === '/' ? '' : this.#root}/${path.slice(0, end)}`);
      if (found !== undefined) return isDirectory(found.mode) && this.#isOnRoot(found);
    }
    return true;
  }

  #skip(path: RawPath, mounted: boolean): void {
    this.#skipped = { below: path === '' ? '' : `${path}/`, mounted, told: false };
  }

  /** A directory of a version where the machine has, and keeps, something else; or a directory where the version has none. */
  #staysOther({ before, after, actual }: ComparedPath, choice: Choice): boolean {
    if (actual === undefined || (choice !== 'keep' && choice !== 'nothing')) return false;
    const version = (before ?? after)?.type;
    return version !== undefined && (version === 'directory') !== isDirectory(actual.mode);
  }
}

/** Where every system mounts something, over whatever a version has there. */
const hiddenAlways = /^(?:dev|proc|run|sys)\//;

function plannedOf({ path, actual }: ComparedPath): PlannedPath {
  return { path, present: actual !== undefined, directory: actual !== undefined && isDirectory(actual.mode) };
}

function contentLength({ chunks = [] }: Entry): number {
  return chunks.reduce((sum, { length }) => sum + length, 0);
}

function name(path: string): string {
  return `/${displayPath(path as RawPath).replace(/\/$/, '')}`;
}
