import { hash } from 'node:crypto';
import { constants, copyFileSync } from 'node:fs';
import { type RawPath, rawPath } from '../../foundation/brand.ts';
import { comparePaths, type Entry, type EntryType, typeBits, typeOfMode } from '../../image/entry.ts';
import { readXattrs } from '../../native/attributes.ts';
import { link, makeDirectory, makeNode, symlink, unlink } from '../../native/nodes.ts';
import { type FileStatus, isDirectory, readDirectory, readLink, status } from '../../native/status.ts';
import { putAttributes } from '../../tree/entry-attributes.ts';
import { removeContents } from '../../tree/remove-contents.ts';
import { walk } from '../../tree/walk.ts';

/** A path below a root, found by a glob, with the directories on the way to it. */
export interface CarriedEntry {
  path: RawPath;
  type: EntryType;
  status: FileStatus;
}

/**
 * What the globs name below `root`, in the order of paths: a directory with all that is in it. Symbolic links are not followed on the way, so nothing
 * outside of the root is found; sockets are not state. Directories above come first, once each.
 */
export function findCarried(root: string, globs: readonly string[]): CarriedEntry[] {
  const found = new Map<string, CarriedEntry>();
  const base = root === '/' ? '' : root;
  const take = (path: string): FileStatus | undefined => {
    const seen = lookAt(`${base}/${path}`);
    const type = seen && typeOfMode(seen.mode);
    if (seen === undefined || type === undefined || type === 'socket') return undefined;
    found.set(path, { path: path as RawPath, type, status: seen });
    return seen;
  };
  for (const glob of globs) {
    for (const path of expand(base, rawPath(glob).split('/'), '')) {
      const parts = path.split('/');
      for (let depth = 1; depth < parts.length; depth += 1) take(parts.slice(0, depth).join('/'));
      const seen = take(path);
      if (seen === undefined || !isDirectory(seen.mode)) continue;
      for (const below of walk(`${base}/${path}` as RawPath)) if (below.path !== '') take(`${path}/${below.path}`);
    }
  }
  return [...found.values()].sort((left, right) => comparePaths(left.path, right.path));
}

function expand(base: string, parts: readonly string[], at: string): string[] {
  const [part, ...rest] = parts;
  if (part === undefined) return at === '' ? [] : [at];
  const directory = `${base}/${at}`;
  const prefix = at === '' ? '' : `${at}/`;
  const seen = lookAt(directory);
  if (seen === undefined || !isDirectory(seen.mode)) return [];
  if (!/[*?]/.test(part))
    return lookAt(`${directory}/${part}`) === undefined ? [] : expand(base, rest, `${prefix}${part}`);
  const pattern = new RegExp(
    `^${part
      .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')}$`,
    's',
  );
  const names = readDirectory(directory as RawPath).filter((name) => pattern.test(name));
  return names.sort().flatMap((name) => expand(base, rest, `${prefix}${name}`));
}

/** Status of a raw path; undefined where there is nothing. */
export function lookAt(path: string): FileStatus | undefined {
  try {
    return status(path as RawPath);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/**
 * Copies one entry with its attributes from below one root to below another, where its directory is. What is there goes, but for a directory
 * where one comes. `same`: a file known to be equal, which is linked instead of copied.
 */
export function copyCarried(from: string, to: string, entry: CarriedEntry, same?: string): void {
  const source = `${from}/${entry.path}` as RawPath;
  const target = `${to}/${entry.path}` as RawPath;
  const there = lookAt(target);
  if (there !== undefined && !(isDirectory(there.mode) && entry.type === 'directory')) remove(target, there);
  if (same !== undefined) {
    link(same as RawPath, target);
    return;
  }
  if (entry.type === 'directory') {
    if (there === undefined || !isDirectory(there.mode)) makeDirectory(target, 0o700);
  } else if (entry.type === 'file') {
    const name = (path: string) => Buffer.from(path, 'latin1');
    copyFileSync(name(source), name(target), constants.COPYFILE_FICLONE);
  } else if (entry.type === 'symlink') symlink(readLink(source), target);
  else {
    const { mode, major, minor } = entry.status;
    makeNode(target, typeBits[entry.type as 'fifo'], mode & 0o777, major, minor);
  }
  copyAttributes(source, entry, target);
}

/** Gives `target` the attributes that `source` has. */
export function copyAttributes(source: RawPath, { path, type, status: seen }: CarriedEntry, target: RawPath): void {
  const attributes: Entry = {
    path,
    type,
    mode: seen.mode & 0o7777,
    uid: seen.uid,
    gid: seen.gid,
    mtime: { seconds: seen.mtimeSeconds, nanoseconds: seen.mtimeNanoseconds },
    xattrs: readXattrs(source),
  };
  putAttributes(attributes, target);
}

function remove(path: RawPath, seen: FileStatus): void {
  if (isDirectory(seen.mode)) removeContents(path, true);
  else unlink(path);
}

/** A line that says all of an entry but its content: equal lines are equal attributes. */
export function attributeLine(root: string, { path, type, status: seen }: CarriedEntry, content: string): string {
  const xattrs = readXattrs(`${root}/${path}` as RawPath).map(
    ({ name, value }) => `${name}=${Buffer.from(value).toString('hex')}`,
  );
  const time = type === 'directory' ? '' : `${seen.mtimeSeconds}.${seen.mtimeNanoseconds}`;
  const text = [path, type, seen.mode & 0o7777, seen.uid, seen.gid, time, ...xattrs, content].join('\0');
  return hash('sha256', Buffer.from(text, 'latin1'));
}
