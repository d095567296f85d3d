import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { type Digest, displayPath, type RawPath, rawPath } from '../foundation/brand.ts';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import type { Entry } from '../image/entry.ts';
import { removeXattr, setMode } from '../native/attributes.ts';
import { close, open, openFlags, syncFileSystem } from '../native/files.ts';
import { type FileStatus, isDirectory, readDirectory, status } from '../native/status.ts';
import { makeDirectories } from '../store/make-directories.ts';
import type { ContentSource, StoredVersion } from '../store/store.ts';
import { removeContents } from './remove-contents.ts';
import { RestorePlan } from './restore-plan.ts';
import { RestorePool } from './restore-pool.ts';
import { RestoreUnits } from './restore-units.ts';
import { SkeletonWriter } from './skeleton-writer.ts';

export interface RestoreOptions {
  store: ContentSource;
  /** Already checked by the caller where its signature matters. */
  version: StoredVersion | Digest;
  /** A directory that is empty or does not exist yet (`lost+found` of a new file system may be there). */
  target: string;
  /** New file systems are mounted below it: the directories that lead there, and theirs, may be there, too. */
  mountsBelow?: boolean;
  task: Task;
  /** Threads; default: one for each core, eight at most, fewer where `memoryLimit` is small. */
  workers?: number;
  /** Bytes that all of it should stay within, as near as can be said. */
  memoryLimit?: number;
  /** Leaves what was written when it fails; else the target is as before. */
  keepOnFailure?: boolean;
  /** Writes everything to the device before it returns. */
  sync?: boolean;
}

export interface RestoreReport {
  entries: number;
  files: number;
  /** Of content that was written. */
  bytes: number;
  /** Attributes of one kind of file system that another does not have. */
  warnings: string[];
}

/**
 * Writes a version into a directory, with every attribute, every chunk verified before it is written. All content is found
 * before the first write; a damaged pack ends the restore, and nothing of it is left.
 *
 * Errors: `target-not-empty`, `not-root`, `disk-full`, `read-only`, `io-failed`, `corrupt-pack`, `chunk-missing`,
 * `corrupt-manifest`, `store-unreachable`, `interrupted`.
 */
export async function restoreTree(options: RestoreOptions): Promise<RestoreReport> {
  const { store, version, task } = options;
  const digest = typeof version === 'string' ? version : (version.record.digest as Digest);
  const target = rawPath(resolve(options.target));
  try {
    requireEmpty(target, options.mountsBelow === true);
    const plan = await RestorePlan.read(store, digest, task);
    requireRights(plan);
    task.expect(plan.bytes, 'bytes');
    const created = (await makeDirectories(options.target, 0o700)) !== undefined;
    try {
      return await write(options, plan, target);
    } catch (error) {
      if (options.keepOnFailure !== true) removeContents(target, created);
      throw error;
    }
  } catch (error) {
    throw toImprintError(error);
  }
}

async function write(options: RestoreOptions, plan: RestorePlan, target: RawPath): Promise<RestoreReport> {
  const { task } = options;
  const units = new RestoreUnits(plan);
  const creator = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0, umask: process.umask() };
  const skeleton = new SkeletonWriter(plan, target, creator);
  prepareRoot(target);
  skeleton.makeDirectories();
  skeleton.makeOthers();
  skeleton.makeShared(units.shared.keys());
  task.signal.throwIfAborted();
  const warnings = [...skeleton.warnings];
  {
    await using pool = new RestorePool({ ...options, plan, units, target, creator, workers: workerCount(options) });
    warnings.push(...(await pool.run()));
  }
  skeleton.makeHardlinks();
  skeleton.finishDirectories();
  if (options.sync === true) syncTarget(target);
  for (const warning of warnings) task.warn(warning);
  const files = plan.files.paths.length + plan.others.filter(({ type }) => type === 'file').length;
  return { entries: plan.entries, files, bytes: plan.bytes, warnings };
}

const mostWorkers = 8;
/** What the process needs beside its threads, and what a thread needs; measured with 74,000 entries. */
const baseMemory = 210 << 20;
const workerMemory = 45 << 20;

function workerCount({ workers, memoryLimit }: RestoreOptions): number {
  const cores = Math.min(availableParallelism(), mostWorkers);
  const affordable =
    memoryLimit === undefined ? cores : Math.max(1, Math.floor((memoryLimit - baseMemory) / workerMemory));
  return workers ?? Math.min(cores, affordable);
}

function requireEmpty(target: RawPath, mountsBelow: boolean): void {
  let found: FileStatus;
  try {
    found = status(target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const empty = (name: string) => (mountsBelow || name === 'lost+found') && isEmpty(child(target, name), mountsBelow);
  if (isDirectory(found.mode) && readDirectory(target).every(empty)) return;
  throw new ImprintError('target-not-empty', { path: displayPath(target) });
}

/** Whether it is a directory that holds nothing; or, `deep`, nothing but such directories. */
function isEmpty(path: RawPath, deep: boolean): boolean {
  if (!isDirectory(status(path).mode)) return false;
  const names = readDirectory(path);
  return deep ? names.every((name) => isEmpty(child(path, name), true)) : names.length === 0;
}

function child(path: RawPath, name: string): RawPath {
  return `${path}/${name}` as RawPath;
}

/** What only root may make is refused before the first write. */
function requireRights(plan: RestorePlan): void {
  const uid = process.geteuid?.();
  if (uid === 0) return;
  const foreign = (entry: Entry) => entry.uid !== uid || entry.type === 'character' || entry.type === 'block';
  let refused = plan.directories.some(foreign) || plan.others.some(foreign);
  for (let file = 0; file < plan.files.paths.length && !refused; file += 1) refused = plan.files.uid.at(file) !== uid;
  if (refused) throw new ImprintError('not-root', { action: 'Restoring owners and devices' });
}

/** Nothing of the target's own may show in what is made in it: no set-group-id, no default ACL. */
function prepareRoot(target: RawPath): void {
  setMode(target, 0o700);
  try {
    removeXattr(target, 'system.posix_acl_default');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENODATA' && code !== 'EOPNOTSUPP') throw error;
  }
}

function syncTarget(target: RawPath): void {
  const fd = open(target, openFlags.readOnly | openFlags.directory);
  try {
    syncFileSystem(fd);
  } finally {
    close(fd);
  }
}
