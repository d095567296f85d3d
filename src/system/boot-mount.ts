import { mkdir, open, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Clock } from '../foundation/clock.ts';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import { tryLock } from '../native/files.ts';
import { mountDevice, mountPoints, unmountTree } from './mount.ts';
import type { Processes } from './run.ts';

/** How long one process waits for another that has the boot partition open, in milliseconds. */
const patience = 60_000;
const toolPatience = 120_000;

/** The boot partition, mounted for this process alone, with a way to have all that was written really on the disk. */
export interface BootMount extends AsyncDisposable {
  readonly directory: string;
  /**
   * Everything out, the journal emptied, unmounted and mounted again: what is read after it comes from the disk, and GRUB, which replays no
   * journal, sees the same. Errors: `process-failed`.
   */
  settle(): Promise<void>;
}

/** Errors: `boot-partition-unfit` where another process keeps it, or it is no ext4. */
export async function mountBootPartition(
  processes: Processes,
  clock: Clock,
  wish: { device: string; directory: string; readOnly: boolean },
): Promise<BootMount> {
  const { device, readOnly } = wish;
  await mkdir(dirname(wish.directory), { recursive: true });
  // As the kernel names it in the table of mounts.
  const directory = join(await realpath(dirname(wish.directory)), basename(wish.directory));
  const lock = await open(`${directory}.lock`, 'a', 0o600).catch((error) => {
    throw toImprintError(error);
  });
  const mounted = async () => {
    const options = 'noatime,nosuid,nodev,noexec';
    const mount = (how: string) => mountDevice(processes, { device, directory, type: 'ext4', options: how });
    if (!readOnly) return mount(`rw,${options}`);
    await mount(`ro,${options}`).catch(async (error) => {
      // Somebody who made a mount namespace of his own while it was writable keeps the file system so: it cannot be mounted read-only, but seen so.
      await mount(`rw,${options}`).catch(() => {
        throw error;
      });
      await processes.run('mount', ['-o', `remount,bind,ro,${options}`, directory], { timeout: toolPatience });
    });
  };
  const unmounted = async () => {
    try {
      if (!readOnly) await emptyJournal(processes, directory);
    } finally {
      await unmountTree(processes, directory, clock);
    }
    await processes.run('blockdev', ['--flushbufs', device], { timeout: toolPatience });
  };
  try {
    for (let waited = 0; !tryLock(lock.fd, 'exclusive'); waited += 100) {
      if (waited >= patience)
        throw new ImprintError('boot-partition-unfit', { device, problem: 'another process keeps it open' });
      await clock.sleep(100);
    }
    await freeLeftOver(processes, directory, clock);
    await mounted();
  } catch (error) {
    await lock.close();
    throw error;
  }
  return {
    directory,
    async settle() {
      await unmounted();
      await mounted();
    },
    async [Symbol.asyncDispose]() {
      try {
        await unmounted();
      } finally {
        await lock.close();
      }
    },
  };
}

/**
 * A frozen ext4 has nothing in its journal that is not in its place, even where something else keeps the file system mounted after our
 * unmount (a service with a mount namespace of its own). Nothing of ours runs from it, so freezing it stops nobody.
 */
async function emptyJournal(processes: Processes, directory: string): Promise<void> {
  // Not mounted, the directory belongs to another file system, which must go on.
  if (!(await mountPoints()).includes(directory)) return;
  const options = { timeout: toolPatience };
  await processes.run('fsfreeze', ['--freeze', directory], options);
  await processes.run('fsfreeze', ['--unfreeze', directory], options);
}

/** What a process left mounted that was killed, perhaps frozen. */
async function freeLeftOver(processes: Processes, directory: string, clock: Clock): Promise<void> {
  if (!(await mountPoints()).includes(directory)) return;
  await processes.run('fsfreeze', ['--unfreeze', directory], { timeout: toolPatience, accept: [0, 1] });
  await unmountTree(processes, directory, clock);
}
