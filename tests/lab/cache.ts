import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, readdir, rename, rm, utimes } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { systemProcesses } from '../../src/system/run.ts';

/** Where what is dear to make is kept from one run, and one checkout, to the next. */
export function cacheDirectory(): string {
  return process.env.IMPRINT_CACHE || join(homedir(), '.cache/imprint');
}

/**
 * The directory `lab/NAME-KEY` of the cache, made by `make` in a temporary place and moved there when it is whole.
 * `ingredients` are everything that decides the result: other ingredients, another key. Older keys of the name are removed.
 */
export async function cached(
  name: string,
  ingredients: readonly string[],
  make: (directory: string) => Promise<void>,
): Promise<string> {
  const key = createHash('sha256').update(JSON.stringify(ingredients)).digest('hex').slice(0, 16);
  const parent = join(cacheDirectory(), 'lab');
  const directory = join(parent, `${name}-${key}`);
  if (await exists(directory)) {
    await utimes(directory, new Date(), new Date());
    return directory;
  }
  await mkdir(parent, { recursive: true });
  const temporary = await mkdtemp(join(parent, `.${name}-`));
  try {
    await make(temporary);
    // Someone else may have made the same meanwhile: theirs is as good.
    await rename(temporary, directory).catch(async (error: unknown) => {
      if (!(await exists(directory))) throw error;
    });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  await removeOlder(parent, name, directory);
  return directory;
}

async function removeOlder(parent: string, name: string, current: string): Promise<void> {
  for (const entry of await readdir(parent)) {
    const path = join(parent, entry);
    const isOurs = entry.startsWith(`${name}-`) && /^-[0-9a-f]{16}$/.test(entry.slice(name.length));
    if (isOurs && path !== current) await rm(path, { recursive: true, force: true });
  }
}

/** Lets one process at a time into `work` on this file of the cache: two test runs do not build the same thing twice. */
export async function locked<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  const directory = join(cacheDirectory(), 'lab');
  await mkdir(directory, { recursive: true });
  return withFileLock(join(directory, `.${name}.lock`), work);
}

/** Runs `work` while this process alone holds the lock on `file`, which is made if it does not exist. */
export async function withFileLock<Result>(file: string, work: () => Promise<Result>): Promise<Result> {
  // The lock is held by a child that waits for the end of its standard input: it goes when we go, however we go.
  const holder = systemProcesses.start('flock', [file, 'sh', '-c', 'echo locked; cat']);
  await new Promise<void>((resolve, reject) => {
    holder.stdout.once('data', () => resolve());
    holder.ended.then(() => reject(new Error(`the lock ${file} was not to be had`)), reject);
  });
  try {
    return await work();
  } finally {
    holder.stdin.end();
    await holder.ended;
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
