import { realpath, stat, statfs } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { z } from 'zod';
import type { imageMount } from '../contract/operations/comparisons.ts';
import type { Digest } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import { makeDirectories } from '../store/make-directories.ts';
import { type MountedVersion, mountVersion } from '../system/fuse/mount-version.ts';
import { mountPoints } from '../system/mount.ts';
import { readVersionTable } from '../tree/version-table.ts';
import type { Context } from './context.ts';

/** A version that is mounted, until `ended`. */
export interface MountedImage extends AsyncDisposable {
  readonly output: z.output<typeof imageMount.output>;
  readonly ended: Promise<void>;
}

/**
 * Mounts a version as a read-only file system on a directory, which is made where it is missing. Content is fetched when it is read,
 * and every chunk checked; one that is damaged gives the reader EIO and is told to `warn`. Until it ends, nothing that the version needs
 * is deleted from a store on this machine.
 */
export async function mountImage(
  context: Context,
  input: z.output<typeof imageMount.input>,
  task: Task,
  warn: (warning: string) => void,
): Promise<MountedImage> {
  const store = await context.store();
  const { record } = await store.resolve(input.reference, 'look');
  const reference = `${record.image}:${record.number}`;
  const directory = resolve(input.directory);
  await requireDirectory(directory);
  const lease = await store.lease(record.digest as Digest);
  let mounted: MountedVersion;
  try {
    const table = await readVersionTable(store, record.digest as Digest, task.signal);
    mounted = await mountVersion({
      store,
      table,
      directory,
      name: reference,
      onDamage: (_, error) => warn(`A file of ${reference} cannot be read: ${error.message}`),
    });
  } catch (error) {
    await lease[Symbol.asyncDispose]();
    throw error;
  }
  const ended = mounted.ended.finally(() => lease[Symbol.asyncDispose]());
  return {
    output: { reference, digest: record.digest, directory, entries: record.stats.entries },
    ended,
    [Symbol.asyncDispose]: async () => {
      await mounted.unmount();
      await ended;
    },
  };
}

/** FUSE_SUPER_MAGIC of linux/magic.h. */
const fuseMagic = 0x65735546;

async function requireDirectory(directory: string): Promise<void> {
  // Why it cannot be made, asking for it says as well.
  await makeDirectories(directory).catch(() => {});
  const found = await stat(directory).catch((error: NodeJS.ErrnoException) => error);
  if (found instanceof Error) {
    const problem =
      found.code === 'ENOTCONN'
        ? `something that was mounted there lost its program (umount ${directory} takes it away)`
        : found.message;
    throw new ImprintError('mount-impossible', { directory, problem }, { cause: found });
  }
  if (!found.isDirectory()) throw new ImprintError('mount-impossible', { directory, problem: 'it is no directory' });
  // The same command twice would lie one over the other, and one umount would seem to do nothing.
  if ((await statfs(directory)).type !== fuseMagic) return;
  if (!(await mountPoints()).includes(await realpath(directory))) return;
  const problem = `a version or the like is mounted there already (umount ${directory} takes it away)`;
  throw new ImprintError('mount-impossible', { directory, problem });
}
