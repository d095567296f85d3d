import { setImmediate } from 'node:timers/promises';
import type { RawPath } from '../foundation/brand.ts';
import type { Task } from '../foundation/task.ts';
import { comparePaths, type Entry, type Timestamp, typeOfMode } from '../image/entry.ts';
import { type FileStatus, isDirectory } from '../native/status.ts';
import { ContentCheck } from './check-content.ts';
import { differingChunks, sameContent, worthPatching } from './chunk-places.ts';
import { Column } from './columns.ts';
import { hasAttributes, hasTime, isOfKind } from './entry-attributes.ts';
import { type WalkedEntry, walk } from './walk.ts';

/** What is to be done with one entry of the version. */
export const convergeAction = { keep: 0, attributes: 1, make: 2, patch: 3, link: 4, leave: 5 } as const;

/** The version that the tree was when it was last known. */
export interface KnownTree {
  entries(): AsyncIterable<Entry[]>;
  /** By the clock of that file system: what changed its inode later is not taken for what the version had without reading it. */
  sealed?: Timestamp;
}

export interface ConvergePlanOptions {
  /** Absolute path of the tree's root. */
  target: RawPath;
  to: { entries(): AsyncIterable<Entry[]> };
  from?: KnownTree;
  /** True for what is not the version's: it stays as it is, with all below it. */
  keep?: (path: RawPath, directory: boolean) => boolean;
  task: Task;
}

/** Entries between two looks at whether to go on. */
const breath = 4096;
/** Bytes read between two of them. */
const breathBytes = 32 << 20;

/**
 * What must be done so that a tree becomes a version: found by one pass over the version's manifest, that of the version it was, and the status of
 * each path. Content is read only where nothing vouches for it. Writes nothing.
 */
export class ConvergePlan {
  /** Of each entry of the version, in its order: an action. A directory in which something comes, goes or changes its kind gets its attributes again. */
  readonly actions = Column.u32();
  /** By the entry's number: chunks to be written over. */
  readonly patches = new Map<number, readonly number[]>();
  /** What is not in the version, a directory before what is in it. */
  readonly removals: { path: RawPath; directory: boolean }[] = [];
  /** Directories that stay though they are not in the version: something below them is kept. */
  readonly held = new Set<string>();
  /** Bytes of content to be written. */
  bytes = 0;
  /** Files to be written, whole or in places. */
  files = 0;
  /** Entries that are as they should be already. */
  kept = 0;
  /** Bytes that were read to see whether they are right. */
  checked = 0;

  /** Whether there is anything to be done with the entry of this number. */
  readonly isWork = (row: number): boolean => {
    const action = this.actions.at(row);
    return action !== convergeAction.keep && action !== convergeAction.leave;
  };

  /** Looks at the tree. Throws system errors, those of the manifests, and what the task's signal says. */
  static async make(options: ConvergePlanOptions): Promise<ConvergePlan> {
    const plan = new ConvergePlan();
    await new Maker(plan, options).run();
    return plan;
  }
}

class Maker {
  readonly #plan: ConvergePlan;
  readonly #options: ConvergePlanOptions;
  readonly #from: Alongside | undefined;
  readonly #check = new ContentCheck();
  /** Device and inode of what has several names → the entry that keeps it. */
  readonly #claims = new Map<string, RawPath>();
  /** Directories of the version that were come by so far → their numbers. */
  readonly #directories = new Map<string, number>();
  readonly #found: Generator<WalkedEntry>;
  #actual: WalkedEntry | undefined;

  constructor(plan: ConvergePlan, options: ConvergePlanOptions) {
    this.#plan = plan;
    this.#options = options;
    this.#from = options.from === undefined ? undefined : new Alongside(options.from.entries());
    this.#found = walk(options.target, { exclude: (path, directory) => this.#isKept(path, directory) });
  }

  async run(): Promise<void> {
    const { task, to } = this.#options;
    this.#next();
    let seen = 0;
    let leftOut: string | undefined;
    try {
      for await (const entries of to.entries()) {
        for (const entry of entries) {
          if (leftOut !== undefined && entry.path.startsWith(leftOut)) {
            this.#plan.actions.push(convergeAction.leave);
            continue;
          }
          leftOut = undefined;
          if (entry.path !== '' && this.#options.keep?.(entry.path, entry.type === 'directory')) {
            leftOut = `${entry.path}/`;
            this.#plan.actions.push(convergeAction.leave);
            continue;
          }
          this.#removeBefore(entry.path);
          const walked = this.#actual?.path === entry.path ? this.#actual : undefined;
          let from = this.#from?.at(entry.path);
          if (from instanceof Promise) from = await from;
          this.#decide(entry, walked, from);
          if (walked !== undefined) this.#next();
          seen += 1;
          if (seen % breath === 0 || this.#check.bytes - this.#plan.checked > breathBytes) {
            this.#plan.checked = this.#check.bytes;
            await setImmediate();
            task.signal.throwIfAborted();
          }
        }
      }
      this.#removeBefore(undefined);
      this.#plan.checked = this.#check.bytes;
    } finally {
      this.#found.return(undefined);
      await this.#from?.close();
    }
  }

  #next(): void {
    const next = this.#found.next();
    this.#actual = next.done ? undefined : next.value;
  }

  /** What the walk comes by before `path`, or to its end, is in no version. */
  #removeBefore(path: RawPath | undefined): void {
    for (let at = this.#actual; at !== undefined; at = this.#actual) {
      if (path !== undefined && (at.path === path || comparePaths(at.path, path) > 0)) return;
      this.#remove(at);
      this.#next();
    }
  }

  #remove({ path, status }: WalkedEntry): void {
    // The file system's own.
    if (path === 'lost+found' && isDirectory(status.mode)) return;
    this.#plan.removals.push({ path, directory: isDirectory(status.mode) });
    this.#touch(path);
  }

  #touch(path: string): void {
    const { actions } = this.#plan;
    const row = this.#directories.get(parentOf(path));
    if (row !== undefined && actions.at(row) === convergeAction.keep) actions.set(row, convergeAction.attributes);
  }

  #isKept(path: RawPath, directory: boolean): boolean {
    // A file system makes this one for itself; where the version has it, its attributes are the version's.
    const kept = path.startsWith('lost+found/') || this.#options.keep?.(path, directory) === true;
    for (let at = path as string; kept && at !== ''; ) {
      at = parentOf(at);
      this.#plan.held.add(at);
    }
    return kept;
  }

  #decide(entry: Entry, walked: WalkedEntry | undefined, from: Entry | undefined): void {
    const plan = this.#plan;
    const action = this.#action(entry, walked, from);
    if (action === convergeAction.keep) plan.kept += 1;
    if (action === convergeAction.make || action === convergeAction.link) {
      this.#touch(entry.path);
      // Directories go, and come, by other calls than all else.
      const crossed = walked !== undefined && isDirectory(walked.status.mode) !== (entry.type === 'directory');
      if (crossed) this.#remove(walked);
    }
    if (entry.type === 'file' && action === convergeAction.make) {
      plan.files += 1;
      plan.bytes += (entry.chunks ?? []).reduce((sum, { length }) => sum + length, 0);
    }
    if (entry.type === 'directory') this.#directories.set(entry.path, plan.actions.length);
    plan.actions.push(action);
  }

  #action(entry: Entry, walked: WalkedEntry | undefined, from: Entry | undefined): number {
    if (walked === undefined) return entry.type === 'hardlink' ? convergeAction.link : convergeAction.make;
    const { status, absolute } = walked;
    const several = status.links > 1 && !isDirectory(status.mode);
    const key = several ? `${status.device}:${status.inode}` : '';
    const claimed = several ? this.#claims.get(key) : undefined;
    if (entry.type === 'hardlink') return claimed === entry.target ? convergeAction.keep : convergeAction.link;
    if (claimed !== undefined || !isOfKind(entry, absolute, status)) return convergeAction.make;
    const content = entry.type === 'file' ? this.#content(entry, walked, from) : [];
    const attributes = hasAttributes(entry, absolute, status);
    if (content !== undefined && content.length === 0 && attributes) {
      if (several) this.#claims.set(key, entry.path);
      return convergeAction.keep;
    }
    // What has other names is not changed under them.
    if (content === undefined || several) return convergeAction.make;
    if (content.length === 0) return convergeAction.attributes;
    const plan = this.#plan;
    plan.patches.set(plan.actions.length, content);
    plan.files += 1;
    for (const index of content) plan.bytes += entry.chunks?.[index]?.length ?? 0;
    return convergeAction.patch;
  }

  /** Chunks of a file that must be written; none where it is right; undefined where it is better made anew. */
  #content(entry: Entry, walked: WalkedEntry, from: Entry | undefined): readonly number[] | undefined {
    const { status } = walked;
    if (from !== undefined && isAsKnown(from, status, this.#options.from?.sealed)) {
      return sameContent(from, entry) ? [] : differingChunks(from, entry);
    }
    if (status.size !== (entry.size ?? 0)) return undefined;
    const differing = this.#check.differing(walked.absolute, entry);
    return differing !== undefined && worthPatching(entry, differing) ? differing : undefined;
  }
}

/** Whether a file still holds what the version gave it, as far as its status can tell. */
function isAsKnown(from: Entry, status: FileStatus, sealed: Timestamp | undefined): boolean {
  if (from.type !== 'file' || typeOfMode(status.mode) !== 'file') return false;
  if (status.size !== (from.size ?? 0) || !hasTime(from, status)) return false;
  if (sealed === undefined) return true;
  const { ctimeSeconds, ctimeNanoseconds } = status;
  return ctimeSeconds < sealed.seconds || (ctimeSeconds === sealed.seconds && ctimeNanoseconds <= sealed.nanoseconds);
}

/** Entries of a version, asked for by rising paths. */
class Alongside {
  readonly #batches: AsyncIterator<Entry[]>;
  #batch: Entry[] = [];
  #index = 0;
  #ended = false;

  constructor(entries: AsyncIterable<Entry[]>) {
    this.#batches = entries[Symbol.asyncIterator]();
  }

  at(path: RawPath): Entry | undefined | Promise<Entry | undefined> {
    for (; this.#index < this.#batch.length; this.#index += 1) {
      const entry = this.#batch[this.#index] as Entry;
      if (entry.path === path) return entry;
      if (comparePaths(entry.path, path) > 0) return undefined;
    }
    return this.#ended ? undefined : this.#fill(path);
  }

  async #fill(path: RawPath): Promise<Entry | undefined> {
    const next = await this.#batches.next();
    this.#ended = next.done === true;
    this.#batch = next.done ? [] : next.value;
    this.#index = 0;
    return this.at(path);
  }

  async close(): Promise<void> {
    await this.#batches.return?.();
  }
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}
