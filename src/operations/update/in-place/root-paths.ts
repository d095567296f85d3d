import { mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import type { RawPath } from '../../../foundation/brand.ts';
import { ImprintError } from '../../../foundation/errors.ts';
import {
  type InPlaceJournal,
  type InPlaceState,
  inPlaceDirectory,
  inPlaceNames,
  parseJournal,
  parseState,
} from '../../../machine/in-place-journal.ts';
import { close, fsync, open, openFlags, syncFileSystem, truncate, writeAt } from '../../../native/files.ts';
import { NativeBuffer } from '../../../native/native-buffer.ts';
import { type FileStatus, isDirectory, status } from '../../../native/status.ts';

/** Paths of one in-place update of one root; both absolute, for the kernel. */
export interface UpdatePaths {
  readonly id: string;
  /** Without a slash at the end: empty for `/`. */
  readonly root: string;
  readonly update: string;
}

export function updatePaths(root: string, id: string): UpdatePaths {
  const base = root.replace(/\/+$/, '');
  return { id, root: base, update: `${base}/${inPlaceDirectory}/${id}` };
}

/** What is at a path (a symbolic link itself); undefined where nothing is, or no way leads there. */
export function look(path: string): FileStatus | undefined {
  try {
    return status(path as RawPath);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return undefined;
    throw error;
  }
}

/** Is there, and is no directory. */
export function isOther(found: FileStatus | undefined): found is FileStatus {
  return found !== undefined && !isDirectory(found.mode);
}

export function sameInode(left: FileStatus, right: FileStatus): boolean {
  return left.inode === right.inode && left.device === right.device;
}

/**
 * Looks at paths of a tree; never through a symbolic link, for what lies behind that is another path. Remembers the last way: ask in order,
 * and make a new one when directories came or went.
 */
export function lookerIn(root: string): (path: string) => FileStatus | undefined {
  let last = '';
  let real = true;
  return (path) => {
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    if (parent !== last) {
      last = parent;
      real = true;
      for (let end = parent.length; end > 0 && real; end = parent.lastIndexOf('/', end - 1)) {
        const found = look(`${root}/${parent.slice(0, end)}`);
        real = found !== undefined && isDirectory(found.mode);
      }
    }
    return real ? look(`${root}/${path}`) : undefined;
  };
}

/** The state on the disk; undefined where there is no such update, `torn` where it says nothing that can be read. */
export function readState({ update }: UpdatePaths): InPlaceState | 'torn' | undefined {
  if (look(update) === undefined) return undefined;
  return parseState(readText(join(update, inPlaceNames.state)) ?? '') ?? 'torn';
}

/** Throws `in-place-damaged`. */
export function readJournal({ id, update }: UpdatePaths): InPlaceJournal {
  const text = readText(join(update, inPlaceNames.journal));
  const journal = text === undefined ? undefined : parseJournal(text);
  if (journal === undefined || journal.id !== id)
    throw new ImprintError('in-place-damaged', { id, problem: 'its journal is not whole' });
  return journal;
}

/** Writes the state, after all that was written before lasts; then it lasts itself. */
export function writeState(paths: UpdatePaths, state: InPlaceState): void {
  syncAll(paths);
  const place = join(paths.update, inPlaceNames.state);
  writeWhole(`${place}.new`, `${state}\n`);
  renameSync(Buffer.from(`${place}.new`, 'latin1'), Buffer.from(place, 'latin1'));
  syncAll(paths);
}

/** Everything of the file system of the root to its device. */
export function syncAll({ update }: Pick<UpdatePaths, 'update'>): void {
  const fd = open(update as RawPath, openFlags.readOnly | openFlags.directory);
  try {
    syncFileSystem(fd);
  } finally {
    close(fd);
  }
}

/** Writes a file of ours and waits for the disk. */
export function writeWhole(path: string, text: string): void {
  const fd = open(path as RawPath, openFlags.writeOnly | openFlags.create, 0o600);
  try {
    truncate(fd, 0);
    const bytes = new NativeBuffer(text.length);
    bytes.bytes.write(text, 'latin1');
    writeAt(fd, bytes.pointer, text.length, 0, path);
    fsync(fd);
  } finally {
    close(fd);
  }
}

/** Makes the directory of names on their way, and empties it. */
export function temporaryOf({ update }: UpdatePaths): string {
  const place = join(update, inPlaceNames.temporary);
  mkdirSync(Buffer.from(place, 'latin1'), { recursive: true, mode: 0o700 });
  return place;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(Buffer.from(path, 'latin1'), 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
