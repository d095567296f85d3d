import type { RawPath } from '../foundation/brand.ts';
import { type FileStatus, fileTypes, readDirectory, status } from '../native/status.ts';

/** One thing that a walk comes by. */
export interface WalkedEntry {
  /** Relative to the root of the walk, which itself is the empty path. */
  path: RawPath;
  /** For the kernel. */
  absolute: RawPath;
  status: FileStatus;
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

/** All entries below a directory, in the order of a manifest (`comparePaths`). Throws where the root cannot be read. */
export function* walk(root: RawPath, options: WalkOptions = {}): Generator<WalkedEntry> {
  const top = status(root);
  const enter = options.enter ?? ((_, found: FileStatus) => sameMount(top, found));
  const base = root === '/' ? '' : root;
  yield { path: '' as RawPath, absolute: root, status: top };
  // One list of names per level, the next name last, so that taking it is cheap.
  const levels = [{ path: '', names: readSorted(root, '' as RawPath, options) }];
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const name = level.names.pop();
    if (name === undefined) {
      levels.pop();
      continue;
    }
    const path = (level.path === '' ? name : `${level.path}/${name}`) as RawPath;
    const absolute = `${base}/${path}` as RawPath;
    const found = tryStatus(absolute, path, options);
    if (found === undefined) continue;
    const directory = (found.mode & fileTypes.mask) === fileTypes.directory;
    if (options.exclude?.(path, directory)) continue;
    yield { path, absolute, status: found };
    if (directory && enter(path, found)) levels.push({ path, names: readSorted(absolute, path, options) });
  }
}

function sameMount(top: FileStatus, found: FileStatus): boolean {
  return top.mountId === 0 ? found.device === top.device : found.mountId === top.mountId;
}

function readSorted(absolute: RawPath, path: RawPath, options: WalkOptions): string[] {
  try {
    return readDirectory(absolute).sort().reverse();
  } catch (error) {
    if (path === '') throw error;
    passOver(path, error, options);
    return [];
  }
}

function tryStatus(absolute: RawPath, path: RawPath, options: WalkOptions): FileStatus | undefined {
  try {
    return status(absolute);
  } catch (error) {
    passOver(path, error, options);
    return undefined;
  }
}

function passOver(path: RawPath, error: unknown, options: WalkOptions): void {
  const failure = error as NodeJS.ErrnoException;
  if (failure.code === 'ENOENT' || failure.code === 'ENOTDIR') return;
  if (options.onUnreadable === undefined) throw error;
  options.onUnreadable(path, failure);
}
