import type { RawPath } from '../foundation/brand.ts';
import { close, open, openFlags } from '../native/files.ts';
import { type FileStatus, isDirectory, namesIn, openDirectoryIn, status, statusIn } from '../native/status.ts';

/** One thing that a walk comes by. */
export interface WalkedEntry {
  /** Relative to the root of the walk, which itself is the empty path. */
  readonly path: RawPath;
  /** For the kernel. */
  readonly absolute: RawPath;
  readonly status: FileStatus;
}

export interface WalkOptions {
  /** True leaves an entry out, and all that is in it. */
  exclude?: (path: RawPath, directory: boolean) => boolean;
  /**
   * Whether what is in a directory shall be walked; the directory itself comes in any case. Default: only what lies in the
   * same mount as the root (so no other file system is entered, but a btrfs subvolume is).
   */
  enter?: (path: RawPath, status: FileStatus) => boolean;
  /** Called for what cannot be looked at; what has gone in the meantime is passed over in silence. */
  onUnreadable?: (path: RawPath, error: NodeJS.ErrnoException) => void;
}

/** A directory that the walk is in. */
interface Level {
  path: string;
  /** The next name last, so that taking it is cheap. */
  names: string[];
  /** Its number while it is open: names are looked up in it, which is a third of the work of whole paths. */
  fd: number;
}

/** Directories that are open at once; below that whole paths are used. */
const openLevels = 200;

/** All entries below a directory, in the order of a manifest (`comparePaths`). Throws where the root cannot be read. */
export function* walk(root: RawPath, options: WalkOptions = {}): Generator<WalkedEntry> {
  const top = status(root);
  const enter = options.enter ?? ((_, found: FileStatus) => sameMount(top, found));
  const base = root === '/' ? '' : root;
  yield { path: '' as RawPath, absolute: root, status: top };
  const levels: Level[] = [];
  try {
    levels.push(openLevel('' as RawPath, open(root, openFlags.readOnly | openFlags.directory), true));
    for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
      const name = level.names.pop();
      if (name === undefined) {
        levels.pop();
        if (level.fd >= 0) close(level.fd);
        continue;
      }
      const path = (level.path === '' ? name : `${level.path}/${name}`) as RawPath;
      const found = attempt(path, options, () => look(level, base, path, name));
      if (found === undefined) continue;
      const directory = isDirectory(found.mode);
      if (options.exclude?.(path, directory)) continue;
      yield new Walked(base, path, found);
      if (!directory || !enter(path, found)) continue;
      const next = attempt(path, options, () =>
        openLevel(path, openIn(level, base, path, name), levels.length < openLevels),
      );
      if (next !== undefined) levels.push(next);
    }
  } finally {
    for (const { fd } of levels) if (fd >= 0) close(fd);
  }
}

/** The whole path is put together only where somebody asks for it. */
class Walked implements WalkedEntry {
  readonly path: RawPath;
  readonly status: FileStatus;
  readonly #base: string;

  constructor(base: string, path: RawPath, found: FileStatus) {
    this.#base = base;
    this.path = path;
    this.status = found;
  }

  get absolute(): RawPath {
    return `${this.#base}/${this.path}` as RawPath;
  }
}

function look(level: Level, base: string, path: RawPath, name: string): FileStatus {
  return level.fd >= 0 ? statusIn(level.fd, name) : status(`${base}/${path}` as RawPath);
}

function openIn(level: Level, base: string, path: RawPath, name: string): number {
  if (level.fd >= 0) return openDirectoryIn(level.fd, name);
  return open(`${base}/${path}` as RawPath, openFlags.readOnly | openFlags.directory | openFlags.noFollow);
}

/** Reads a directory that was opened; with `keep` it stays open. */
function openLevel(path: RawPath, fd: number, keep: boolean): Level {
  let kept = false;
  try {
    const names = namesIn(fd).sort().reverse();
    kept = keep;
    return { path, names, fd: keep ? fd : -1 };
  } finally {
    if (!kept) close(fd);
  }
}

function sameMount(top: FileStatus, found: FileStatus): boolean {
  return top.mountId === 0 ? found.device === top.device : found.mountId === top.mountId;
}

function attempt<Result>(path: RawPath, options: WalkOptions, work: () => Result): Result | undefined {
  try {
    return work();
  } catch (error) {
    const failure = error as NodeJS.ErrnoException;
    if (failure.code === 'ENOENT' || failure.code === 'ENOTDIR') return undefined;
    if (options.onUnreadable === undefined) throw error;
    options.onUnreadable(path, failure);
    return undefined;
  }
}
