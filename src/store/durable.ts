import { randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import { makeDirectories } from './make-directories.ts';

/** A file to be written: where, and what; `aside` names one that is written and durable already. */
export type DurableFile = { path: string; content: Uint8Array | string } | { path: string; aside: string };

/**
 * Writes a file so that, whatever happens, there is the old one or the new one, whole: written aside in `temporary` (a directory
 * on the same file system), made durable, renamed, and the rename made durable.
 */
export async function writeFileDurably(path: string, content: Uint8Array | string, temporary: string): Promise<void> {
  await writeFilesDurably([{ path, content }], temporary);
}

/**
 * Writes several files, each whole or not at all. All are durable before the first appears, and they appear in the order given.
 * Together they cost little more than one, for the disk is waited for once.
 */
export async function writeFilesDurably(files: readonly DurableFile[], temporary: string): Promise<void> {
  const asides = await Promise.all(files.map((file) => ('aside' in file ? file.aside : writeAside(file, temporary))));
  const directories = new Set(files.map(({ path }) => dirname(path)));
  for (const directory of directories) await writing(directory, () => makeDirectoryDurably(directory));
  for (const [index, { path }] of files.entries()) {
    await writing(path, () => rename(asides[index] ?? '', path));
    // Names in different directories need not last in the order in which they were given.
    const next = files[index + 1]?.path;
    const directory = dirname(path);
    if (next === undefined || dirname(next) !== directory) await writing(directory, () => syncDirectory(directory));
  }
}

/** Renames a durable file into place, making its directory where it must, and makes the rename durable. */
export async function renameDurably(aside: string, path: string): Promise<void> {
  await writeFilesDurably([{ path, aside }], dirname(aside));
}

async function writeAside(file: { path: string; content: Uint8Array | string }, temporary: string): Promise<string> {
  const aside = join(temporary, `${randomUUID()}.tmp`);
  return writing(file.path, async () => {
    try {
      await using handle = await open(aside, 'wx', 0o644);
      await handle.writeFile(file.content);
      await handle.sync();
      return aside;
    } catch (error) {
      await rm(aside, { force: true });
      throw error;
    }
  });
}

/** Removes files of one directory, those that are there, and makes that durable. */
export async function removeDurably(...paths: string[]): Promise<void> {
  for (const path of paths) await writing(path, () => rm(path, { force: true }));
  const [first] = paths;
  if (first !== undefined) await syncDirectory(dirname(first)).catch(ignoreMissing);
}

/** Makes the names in a directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, 'r');
  await handle.sync();
}

/** Runs `work`, which writes at `path`: what fails is `disk-full`, `read-only` or `io-failed` and names it. */
export async function writing<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw writeError(error, path);
  }
}

function writeError(error: unknown, path: string): ImprintError {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') return new ImprintError('disk-full', { path }, { cause: error });
  if (code === 'EROFS')
    return new ImprintError('read-only', { path, problem: 'it is mounted read-only' }, { cause: error });
  if (code === 'EACCES' || code === 'EPERM')
    return new ImprintError('read-only', { path, problem: 'permission is denied' }, { cause: error });
  if (code === 'EFBIG')
    return new ImprintError('io-failed', { operation: 'write', path, problem: message }, { cause: error });
  return toImprintError(error);
}

async function makeDirectoryDurably(directory: string): Promise<void> {
  const first = await makeDirectories(directory);
  // `first` is the topmost directory that was made: its name, and those below it, must last as well.
  for (let made = directory; first !== undefined; made = dirname(made)) {
    await syncDirectory(dirname(made));
    if (made === first) return;
  }
}

function ignoreMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}
