import { displayPath, type RawPath } from '../foundation/brand.ts';
import type { Task } from '../foundation/task.ts';
import { type ChunkReference, type Entry, type EntryType, type ExtendedAttribute, typeOfMode } from '../image/entry.ts';
import { readXattrs } from '../native/attributes.ts';
import { type FileStatus, readLink } from '../native/status.ts';
import type { CaptureDirectoryOptions } from './capture-directory.ts';
import type { HintWriter } from './capture-hints.ts';
import type { StoredFiles } from './content-message.ts';
import type { ContentPool } from './content-pool.ts';
import { FileResults } from './file-results.ts';
import type { PreviousVersion } from './previous-version.ts';
import { type WalkedEntry, walk } from './walk.ts';

export interface CaptureStreamOptions extends Omit<CaptureDirectoryOptions, 'previous'> {
  pool: ContentPool;
  previous: PreviousVersion | undefined;
  hints: HintWriter;
  task: Task;
}

/** An entry on its way: all but its content is known. */
interface Pending {
  entry: Entry;
  walked: WalkedEntry;
  /** Files whose content a thread stores: their index in the block's request. */
  index?: number;
  /** Files with other content than their own. */
  replaced?: Promise<ChunkReference[]>;
}

/** A run of entries, and what became of the files among them. */
interface Block {
  entries: Pending[];
  paths: RawPath[];
  bytes: number;
  /** Bytes of content that were taken over from the previous version. */
  kept: number;
  /** Seconds since 1970 before the first of them was looked at. */
  began: number;
  stored: Promise<StoredFiles> | undefined;
}

const blockEntries = 256;
const blockBytes = 8 << 20;
/** Blocks on their way at once; they wait behind a large file, whose thread is not the only one. */
const blocksAtOnce = 64;

/** Walks ahead, lets threads store content, and gives out finished entries in order. */
export class CaptureStream {
  readonly counts = { entries: 0, files: 0, logicalBytes: 0, contentBytes: 0 };
  readonly warnings: string[] = [];
  unchanged = 0;
  /** Bytes of content that the walk came by so far. */
  #seen = 0;
  /** Bytes of content that were announced as the total: some way ahead of the walk, so that it is not announced at each step. */
  #announced: number;
  readonly #options: CaptureStreamOptions;
  readonly #firstNames = new Map<string, RawPath>();
  /** First names of hard links that could not be stored, and which name takes their place. */
  readonly #lost = new Map<RawPath, RawPath | undefined>();

  constructor(options: CaptureStreamOptions) {
    this.#options = options;
    this.#announced = options.expectedBytes ?? 0;
  }

  /** All entries in manifest order. When it ends, all content is in the store. */
  async *entries(): AsyncGenerator<Entry[]> {
    const { pool, task } = this.#options;
    const blocks: Block[] = [];
    for await (const block of this.#blocks()) {
      task.signal.throwIfAborted();
      if (block.paths.length > 0) {
        await pool.ready();
        block.stored = pool.storeFiles(block.paths);
        block.stored.catch(() => {});
      }
      blocks.push(block);
      if (this.#seen > this.#announced) {
        this.#announced = this.#seen + (256 << 20);
        task.expect(this.#announced, 'bytes');
      }
      if (block.kept > 0) task.advance(block.kept);
      while (blocks.length > blocksAtOnce || (blocks.length > 0 && blocks[0]?.stored === undefined)) {
        yield await this.#finish(blocks.shift() as Block);
      }
    }
    task.expect(this.#seen, 'bytes');
    for (const block of blocks) yield await this.#finish(block);
    await pool.finish();
  }

  async *#blocks(): AsyncGenerator<Block> {
    const { directory, exclude, enter } = this.#options;
    const walked = walk(directory, {
      ...(exclude === undefined ? {} : { exclude }),
      ...(enter === undefined ? {} : { enter }),
      onUnreadable: (path, error) => this.#warn(path, `cannot be looked at: ${error.message}`),
    });
    const { snapshot } = this.#options;
    let block = newBlock(snapshot?.asOf);
    for (const found of walked) {
      if (snapshot !== undefined) this.#inTruth(found.status);
      // Awaited only where something must be waited for: it is most of the time for entries by the ten thousand.
      const looked = this.#look(found, block);
      const pending = looked instanceof Promise ? await looked : looked;
      if (pending === undefined) continue;
      if (found.status.size > 0 && pending.entry.type === 'file')
        this.#seen += Math.min(found.status.size, found.status.blocks * 512);
      block.entries.push(pending);
      if (block.entries.length < blockEntries && block.bytes < blockBytes) continue;
      yield block;
      block = newBlock(snapshot?.asOf);
    }
    yield block;
  }

  /** All of an entry but its content; undefined where it has gone or is nothing that can be kept. */
  #look(walked: WalkedEntry, block: Block): Pending | undefined | Promise<Pending | undefined> {
    const { path, status } = walked;
    const type = typeOfMode(status.mode);
    if (type === undefined) {
      this.#warn(path, 'is of a kind that is not known');
      return undefined;
    }
    const linked = this.#hardLink(walked, type);
    if (linked !== undefined) return linked;
    const asked = this.#options.previous?.unchanged(path, status);
    if (asked instanceof Promise) return asked.then((before) => this.#lookAgain(walked, type, before, block));
    return this.#lookAgain(walked, type, asked, block);
  }

  /** What did not change is taken over; the rest is looked at. */
  #lookAgain(
    walked: WalkedEntry,
    type: EntryType,
    before: Entry | undefined,
    block: Block,
  ): Pending | undefined | Promise<Pending> {
    const { path, status } = walked;
    if (before !== undefined && this.#mayKeep(before, type, status)) {
      this.unchanged += type === 'file' ? 1 : 0;
      block.kept += contentLength(before);
      return { entry: before, walked };
    }
    try {
      const entry = this.#attributes(path, type, status, readXattrs(walked.absolute));
      if (type === 'symlink') entry.target = readLink(walked.absolute);
      return type === 'file' ? this.#file(entry, walked, block) : { entry, walked };
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ENOTDIR' && code !== 'EINVAL') this.#warn(path, `cannot be read: ${message}`);
      return undefined;
    }
  }

  #file(entry: Entry, walked: WalkedEntry, block: Block): Pending | Promise<Pending> {
    const other = this.#options.substitute?.(walked.path, walked.status);
    if (other !== undefined) {
      return this.#options.pool.storeStream([other]).then(({ size, stored }) => {
        entry.size = size;
        return { entry, walked, replaced: stored };
      });
    }
    block.paths.push(walked.absolute);
    block.bytes += Math.min(walked.status.size, walked.status.blocks * 512);
    return { entry, walked, index: block.paths.length - 1 };
  }

  /** The second and further names of a file; the first is remembered. */
  #hardLink(walked: WalkedEntry, type: EntryType): Pending | undefined {
    const { path, status } = walked;
    if (status.links < 2 || type === 'directory') return undefined;
    const key = `${status.device}:${status.inode}`;
    const first = this.#firstNames.get(key);
    if (first === undefined) {
      this.#firstNames.set(key, path);
      return undefined;
    }
    const entry = this.#attributes(path, 'hardlink', status, undefined);
    entry.target = first;
    return { entry, walked };
  }

  /** In a snapshot a file system has another number than in truth. */
  #inTruth(status: FileStatus): FileStatus {
    status.device = this.#options.snapshot?.devices.get(status.device) ?? status.device;
    return status;
  }

  #attributes(path: RawPath, type: EntryType, status: FileStatus, xattrs: ExtendedAttribute[] | undefined): Entry {
    const entry: Entry = {
      path,
      type,
      mode: status.mode & 0o7777,
      uid: status.uid,
      gid: status.gid,
      mtime: { seconds: status.mtimeSeconds, nanoseconds: status.mtimeNanoseconds },
    };
    if (xattrs !== undefined && xattrs.length > 0) entry.xattrs = xattrs;
    if (type === 'character' || type === 'block') {
      entry.major = status.major;
      entry.minor = status.minor;
    }
    return entry;
  }

  /** Whether what the previous version has for this entry may be taken over. */
  #mayKeep(before: Entry, type: EntryType, status: FileStatus): boolean {
    if (before.type !== type || !sameAttributes(before, status)) return false;
    if (type !== 'file') return true;
    if ((before.size ?? 0) !== status.size || this.#options.substitute?.(before.path, status) !== undefined)
      return false;
    return (before.chunks ?? []).every(({ hash }) => this.#options.pool.has(hash));
  }

  async #finish(block: Block): Promise<Entry[]> {
    const stored = block.stored === undefined ? undefined : new FileResults(await block.stored);
    const entries: Entry[] = [];
    for (const pending of block.entries) {
      const { walked } = pending;
      let { entry } = pending;
      let row: FileStatus | undefined = walked.status;
      if (pending.replaced !== undefined) {
        entry.chunks = await pending.replaced;
      } else if (pending.index !== undefined && stored !== undefined) {
        const filled = this.#fill(pending, stored, pending.index);
        if (filled === undefined) continue;
        row = filled.row;
      } else if (entry.type === 'hardlink' && entry.target !== undefined && this.#lost.has(entry.target)) {
        const other = await this.#anotherName(entry, entry.target, walked);
        if (other === undefined) continue;
        entry = other;
        row = undefined;
      }
      this.#options.hints.add(row, block.began, entry.path, pending.replaced !== undefined);
      this.#count(entry);
      entries.push(entry);
    }
    return entries;
  }

  /** Gives a file its content, and its attributes as they were when it was read; undefined where it could not be. */
  #fill({ entry, walked }: Pending, stored: FileResults, index: number): { row: FileStatus | undefined } | undefined {
    const outcome = stored.outcome(index);
    const content = stored.next(index);
    if (outcome === 'gone' || outcome === 'unreadable') {
      if (outcome === 'unreadable') this.#warn(entry.path, `cannot be read: ${stored.problem(index)}`);
      if (walked.status.links > 1) this.#lost.set(entry.path, undefined);
      return undefined;
    }
    if (outcome === 'changing')
      this.#warn(entry.path, 'changed each time it was read; what was there in between is kept');
    const row = this.#inTruth(stored.status(index, walked.status));
    if (row.ctimeSeconds !== walked.status.ctimeSeconds || row.ctimeNanoseconds !== walked.status.ctimeNanoseconds) {
      Object.assign(entry, this.#attributes(entry.path, 'file', row, undefined));
      delete entry.xattrs;
      const xattrs = tryXattrs(walked.absolute);
      if (xattrs.length > 0) entry.xattrs = xattrs;
    }
    Object.assign(entry, content);
    return { row: outcome === 'changing' ? undefined : row };
  }

  /** The first name of a hard link was lost: the next one that can be read becomes the first. */
  async #anotherName(link: Entry, lost: RawPath, walked: WalkedEntry): Promise<Entry | undefined> {
    const first = this.#lost.get(lost);
    if (first !== undefined) return { ...link, target: first };
    const entry = this.#attributes(link.path, 'file', walked.status, tryXattrs(walked.absolute));
    const stored = new FileResults(await this.#options.pool.storeFiles([walked.absolute]));
    if (this.#fill({ entry, walked }, stored, 0) === undefined) return undefined;
    this.#lost.set(lost, entry.path);
    return entry;
  }

  #count(entry: Entry): void {
    this.counts.entries += 1;
    if (entry.type !== 'file') return;
    this.counts.files += 1;
    this.counts.logicalBytes += entry.size ?? 0;
    this.counts.contentBytes += contentLength(entry);
  }

  #warn(path: RawPath, problem: string): void {
    const warning = `${displayPath(path)} ${problem}`;
    this.warnings.push(warning);
    this.#options.task.warn(warning);
  }
}

function newBlock(asOf = Number.POSITIVE_INFINITY): Block {
  const began = Math.floor(Math.min(asOf, Date.now() / 1000));
  return { entries: [], paths: [], bytes: 0, kept: 0, began, stored: undefined };
}

/** Belt and braces: the change time says so already. */
function sameAttributes({ mode, uid, gid, mtime }: Entry, status: FileStatus): boolean {
  return (
    mode === (status.mode & 0o7777) &&
    uid === status.uid &&
    gid === status.gid &&
    mtime.seconds === status.mtimeSeconds &&
    mtime.nanoseconds === status.mtimeNanoseconds
  );
}

function contentLength(entry: Entry): number {
  return (entry.chunks ?? []).reduce((sum, { length }) => sum + length, 0);
}

function tryXattrs(path: RawPath): ExtendedAttribute[] {
  try {
    return readXattrs(path);
  } catch {
    return [];
  }
}
