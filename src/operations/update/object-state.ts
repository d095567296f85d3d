import { createHash, hash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { open, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type RawPath, rawPath } from '../../foundation/brand.ts';
import type { Clock } from '../../foundation/clock.ts';
import { toImprintError } from '../../foundation/errors.ts';
import type { Entry } from '../../image/entry.ts';
import { carriedPath, identityPaths, keptObjects, objectPaths } from '../../machine/carried-state.ts';
import { parseExcludes } from '../../machine/exclude.ts';
import { isDirectory, readLink } from '../../native/status.ts';
import { makeDirectories } from '../../store/make-directories.ts';
import { rootFiles } from '../../system/root-files.ts';
import { ContentCheck } from '../../tree/check-content.ts';
import { syncTree } from '../../tree/converge-tree.ts';
import { hasAttributes, isOfKind } from '../../tree/entry-attributes.ts';
import { attributeLine, type CarriedEntry, copyAttributes, copyCarried, findCarried, lookAt } from './object-files.ts';

/** What makes a machine itself, as it was at one moment: kept under a number in the state directory. */
export interface KeptObject {
  number: number;
  /** Holds `tree/` and `object.json`. */
  directory: string;
  /** SHA-256 over all of it, hexadecimal: two that are equal hold the same. */
  digest: string;
  created: string;
  /** Paths with a line that stands for attributes and content. */
  entries: { path: RawPath; line: string }[];
}

export interface KeepObjectOptions {
  /** Root of the running system. */
  root: string;
  /** Where objects are kept; made where it is missing. */
  stateDirectory: string;
  /** Globs beside `identityPaths`, absolute. */
  carry?: readonly string[];
  /** The version that the running system is: what is as it has it is not the machine's own. Absent: all counts as its own. */
  known?: { entries(): AsyncIterable<Entry[]> };
  clock: Clock;
  /** Objects that stay. */
  keep?: number;
}

/**
 * Keeps what makes this machine itself: a new object where something of it has changed since the last, else that one. An object is
 * there whole or not at all. Errors: `disk-full`, `read-only`, `io-failed`.
 */
export async function keepObject(options: KeepObjectOptions): Promise<KeptObject> {
  try {
    const { root, stateDirectory, carry = [], known } = options;
    const found = findOwn(root, carry);
    const own = known === undefined ? found : await withoutVersion(root, found, known);
    const entries = own.map((entry) => ({ path: entry.path, line: lineOf(root, entry) }));
    const digest = hash('sha256', entries.map(({ path, line }) => `${path}\0${line}\n`).join(''));
    const last = await latestObject(stateDirectory);
    if (last?.digest === digest) return last;
    return await write(options, own, entries, digest, last);
  } catch (error) {
    throw toImprintError(error);
  }
}

/** What is carried: the built-in list and `carry`, but for what a rule with `!` takes back and no later one names again. */
function findOwn(root: string, carry: readonly string[]): CarriedEntry[] {
  const taken = carry.filter((rule) => !rule.startsWith('!'));
  const found = findCarried(root, [...identityPaths, ...taken.map(carriedPath)]);
  if (taken.length === carry.length) return found;
  // What is taken back is left out, and what is named again is not.
  const excluder = parseExcludes(carry.map((rule) => (rule.startsWith('!') ? rule.slice(1) : `!${rule}`)));
  const left = new Set<string>();
  return found.filter(({ path, type }) => {
    const above = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    if (!left.has(above) && !excluder.excludes(path, type === 'directory')) return true;
    left.add(path);
    return false;
  });
}

/** The newest object of a state directory; undefined where there is none. */
export async function latestObject(stateDirectory: string): Promise<KeptObject | undefined> {
  const numbers = await objectNumbers(stateDirectory);
  for (const number of numbers.reverse()) {
    const directory = join(stateDirectory, String(number));
    const text = await readFile(join(directory, objectPaths.description), 'utf8').catch(() => '');
    try {
      const { digest, created, entries } = JSON.parse(text) as KeptObject;
      return { number, directory, digest, created, entries };
    } catch {
      // Whatever this is, it is none.
    }
  }
  return undefined;
}

/**
 * Lays an object over the root of a system that does not run, and marks whose it is. Directories that are there keep their attributes; links
 * on the way are not followed: what stands in the way of a carried path goes. Errors: `disk-full`, `io-failed`.
 */
export async function layObject(object: KeptObject, root: string, owner: string): Promise<void> {
  try {
    const tree = join(object.directory, objectPaths.tree);
    const made: CarriedEntry[] = [];
    // All that lies in it: what was not the machine's own did not go in.
    for (const entry of findCarried(tree, ['*'])) {
      const there = entry.type === 'directory' && isDirectoryAt(root, entry);
      if (there) continue;
      copyCarried(tree, root, entry);
      if (entry.type === 'directory') made.push(entry);
    }
    for (const entry of made.reverse()) {
      copyAttributes(`${tree}/${entry.path}` as RawPath, entry, `${root}/${entry.path}` as RawPath);
    }
    await rootFiles(root).write(objectPaths.mark, `${owner} ${object.number}\n`);
  } catch (error) {
    throw toImprintError(error);
  }
}

/** All above it are directories: they came before. */
function isDirectoryAt(root: string, { path }: CarriedEntry): boolean {
  const there = lookAt(`${root}/${path}`);
  return there !== undefined && isDirectory(there.mode);
}

async function write(
  { root, stateDirectory, clock, keep = keptObjects }: KeepObjectOptions,
  own: readonly CarriedEntry[],
  entries: KeptObject['entries'],
  digest: string,
  last: KeptObject | undefined,
): Promise<KeptObject> {
  await makeDirectories(stateDirectory, 0o700);
  const number = ((await objectNumbers(stateDirectory)).at(-1) ?? 0) + 1;
  const temporary = join(stateDirectory, '.new');
  await rm(temporary, { recursive: true, force: true });
  const tree = join(temporary, objectPaths.tree);
  await makeDirectories(tree, 0o700);
  const before = new Map(last?.entries.map(({ path, line }) => [path, line]));
  const base = root === '/' ? '' : root;
  for (const [index, entry] of own.entries()) {
    const same = entry.type === 'file' && before.get(entry.path) === entries[index]?.line;
    const kept = same && last ? `${join(last.directory, objectPaths.tree)}/${entry.path}` : undefined;
    copyCarried(base, tree, entry, kept);
  }
  for (const entry of own.toReversed()) {
    if (entry.type === 'directory')
      copyAttributes(`${base}/${entry.path}` as RawPath, entry, `${tree}/${entry.path}` as RawPath);
  }
  const created = new Date(clock.now()).toISOString();
  const description = { format: 1, number, created, digest, entries };
  await writeFile(join(temporary, objectPaths.description), `${JSON.stringify(description)}\n`, { mode: 0o600 });
  syncTree(rawPath(temporary));
  const directory = join(stateDirectory, String(number));
  await rename(temporary, directory);
  await pointLatest(stateDirectory, number);
  for (const old of (await objectNumbers(stateDirectory)).slice(0, -Math.max(1, keep))) {
    await rm(join(stateDirectory, String(old)), { recursive: true, force: true });
  }
  return { number, directory, digest, created, entries };
}

/** Has the link to the newest object name this one. */
export async function pointLatest(stateDirectory: string, number: number): Promise<void> {
  const link = join(stateDirectory, objectPaths.latest);
  await rm(`${link}.new`, { force: true });
  await symlink(String(number), `${link}.new`);
  await rename(`${link}.new`, link);
  await using handle = await open(stateDirectory);
  await handle.sync();
}

/** Rising. */
async function objectNumbers(stateDirectory: string): Promise<number[]> {
  const names = await readdir(stateDirectory).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names
    .filter((name) => /^[1-9]\d{0,8}$/.test(name))
    .map(Number)
    .sort((left, right) => left - right);
}

/** What is not as the version has it, and the directories above. */
async function withoutVersion(
  root: string,
  found: readonly CarriedEntry[],
  known: { entries(): AsyncIterable<Entry[]> },
): Promise<CarriedEntry[]> {
  const wanted = new Set<string>(found.map(({ path }) => path));
  const version = new Map<string, Entry>();
  for await (const entries of known.entries())
    for (const entry of entries) if (wanted.has(entry.path)) version.set(entry.path, entry);
  const check = new ContentCheck();
  const base = root === '/' ? '' : root;
  const own = new Set<string>();
  for (const { path, type, status } of found) {
    const entry = version.get(path);
    const place = `${base}/${path}` as RawPath;
    const inVersion =
      entry !== undefined &&
      isOfKind(entry, place, status) &&
      (type === 'directory' ||
        (hasAttributes(entry, place, status) && (type !== 'file' || check.differing(place, entry)?.length === 0)));
    if (inVersion) continue;
    for (let at: string = path; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('/')))) own.add(at);
  }
  return found.filter(({ path }) => own.has(path));
}

function lineOf(root: string, entry: CarriedEntry): string {
  const base = root === '/' ? '' : root;
  const place = `${base}/${entry.path}`;
  if (entry.type === 'file') return attributeLine(base, entry, hashFile(place));
  if (entry.type === 'symlink') return attributeLine(base, entry, readLink(place as RawPath));
  const device = entry.type === 'directory' ? '' : `${entry.status.major}:${entry.status.minor}`;
  return attributeLine(base, entry, device);
}

function hashFile(path: string): string {
  const fd = openSync(Buffer.from(path, 'latin1'), 'r');
  const digest = createHash('sha256');
  const piece = Buffer.alloc(1 << 18);
  try {
    for (let got = readSync(fd, piece); got > 0; got = readSync(fd, piece)) digest.update(piece.subarray(0, got));
  } finally {
    closeSync(fd);
  }
  return digest.digest('hex');
}
