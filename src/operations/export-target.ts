import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import { isRunning } from '../system/is-running.ts';
import type { WriteBytes } from './export-formats.ts';

/**
 * Runs `work` on a new, empty file or directory beside `target`; when it is done, makes all of it durable and renames it to `target`.
 * Whatever happens before leaves `target` as it was; what a killed process left beside it goes with the next try.
 *
 * Errors: `directory-not-found`, `target-exists`, `disk-full`, `read-only`, `io-failed`, `interrupted`, and those of `work`.
 */
export async function writingBeside<Result>(
  target: string,
  kind: 'file' | 'directory',
  force: boolean,
  signal: AbortSignal,
  work: (path: string) => Promise<Result>,
): Promise<Result> {
  const path = resolve(target);
  try {
    const found = await requireFree(path, kind, force);
    await removeLeftovers(path);
    const aside = join(dirname(path), `${partPrefix(path)}${process.pid}`);
    try {
      await make(aside, kind);
      const result = await work(aside);
      signal.throwIfAborted();
      await sync(aside, kind);
      if (found && kind === 'directory') await rm(path, { recursive: true });
      await rename(aside, path);
      await syncOne(dirname(path));
      return result;
    } catch (error) {
      await rm(aside, { recursive: true, force: true }).catch(() => {});
      throw error;
    }
  } catch (error) {
    throw toImprintError(error);
  }
}

/** A file that is written from front to end. */
export async function openForWriting(path: string): Promise<AsyncDisposable & { write: WriteBytes }> {
  const file = await open(path, 'w');
  return {
    write: async (bytes) => {
      try {
        for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
      } catch (error) {
        throw toImprintError(Object.assign(error as NodeJS.ErrnoException, { path }));
      }
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}

/** Waits where the reader is slow. */
export const writeToStdout: WriteBytes = (bytes) =>
  new Promise((done, failed) => {
    process.stdout.write(bytes, (error) => (error ? failed(error) : done()));
  });

/** True where there is something that may be replaced. */
async function requireFree(path: string, kind: 'file' | 'directory', force: boolean): Promise<boolean> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  });
  if (found === undefined) return false;
  if (kind === 'directory' && found.isDirectory() && (await readdir(path)).length === 0) return true;
  const same = kind === 'file' ? found.isFile() : found.isDirectory() && (await isLayout(path));
  if (force && same) return true;
  throw new ImprintError('target-exists', {
    path,
    problem: same ? 'it exists already' : `it exists and is no ${kind === 'file' ? 'regular file' : 'OCI layout'}`,
  });
}

/** Only what we (or another program of the kind) made is ever removed as a whole. */
async function isLayout(path: string): Promise<boolean> {
  return (await readdir(path)).includes('oci-layout');
}

function partPrefix(path: string): string {
  return `.${basename(path)}.imprint-part-`;
}

/** What processes that no longer run left beside the target. */
async function removeLeftovers(path: string): Promise<void> {
  const prefix = partPrefix(path);
  const directory = dirname(path);
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
    throw new ImprintError('directory-not-found', { directory }, { cause: error });
  });
  for (const name of names) {
    const pid = name.startsWith(prefix) ? Number(name.slice(prefix.length)) : Number.NaN;
    // Our own number was another's before.
    if (Number.isInteger(pid) && (pid === process.pid || !isRunning(pid)))
      await rm(join(directory, name), { recursive: true, force: true });
  }
}

async function make(path: string, kind: 'file' | 'directory'): Promise<void> {
  if (kind === 'directory') await mkdir(path);
  else await (await open(path, 'wx', 0o644)).close();
}

async function sync(path: string, kind: 'file' | 'directory'): Promise<void> {
  if (kind === 'directory') {
    for (const entry of await readdir(path, { withFileTypes: true, recursive: true })) {
      await syncOne(join(entry.parentPath, entry.name));
    }
  }
  await syncOne(path);
}

async function syncOne(path: string): Promise<void> {
  await using file = await open(path, 'r');
  await file.sync();
}
