import { constants } from 'node:fs';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { displayPath, rawPath } from '../../foundation/brand.ts';
import type { RootFileSystem } from '../../machine/root-file-system.ts';
import { mountDevice, unmountTree } from '../../system/mount.ts';
import { convergeTree, syncTree } from '../../tree/converge-tree.ts';
import { writeKeptVersion } from '../install/write-agent.ts';
import type { FilledTree, FillReport, FillRequest, SlotRoot } from './fill-request.ts';
import { personalise } from './personalise.ts';
import { forgetSlotVersion, isImprints, readSlotVersion } from './slot-version.ts';

export type { FilledSlot, FilledTree, FillReport, FillRequest, SlotRoot } from './fill-request.ts';

export const slotMountPoint = '/run/imprint/slot';

/**
 * Makes what is mounted at `target` the version, and the machine's: identity, carried state, fstab, agent, and what the next update starts from.
 * From the first write until all is on the disk it says of itself that it is no version at all. `planned` is told the bytes that content will take
 * before it is written. Errors: `disk-full`, `io-failed`, those of the content.
 */
export async function fillTree(
  request: FillRequest,
  target: string,
  root: SlotRoot,
  planned?: (bytes: number) => Promise<void>,
): Promise<FilledTree> {
  const { content, task } = request;
  const before = await readSlotVersion(target);
  await forgetSlotVersion(target);
  const converged = await task.part('write what differs', (part) =>
    convergeTree({
      target: rawPath(target),
      to: content,
      keep: isImprints,
      ...(before === undefined ? {} : { from: before.known }),
      // Each file takes whole blocks, and its inode.
      planned: async (plan) => planned?.(plan.bytes + plan.files * 4096),
      task: part,
    }),
  );
  const { personal, agent } = await personalise(request, target, root);
  // What says that it is whole comes after all of it.
  syncTree(rawPath(target));
  const { recordText, signature, manifestFile } = content;
  await writeKeptVersion(target, {
    recordText,
    ...(signature === undefined ? {} : { signature }),
    manifest: { file: manifestFile },
  });
  syncTree(rawPath(target));
  for (const warning of converged.warnings) task.warn(warning);
  return { converged, personal, agent };
}

/** Reads back from the disk what was written, the file system being mounted anew. Errors: `tree-differs`. */
export async function verifyFilled({ task }: FillRequest, target: string, filled: FilledTree): Promise<void> {
  await task.part('read back what was written', async (part) => {
    await filled.converged.verify(rawPath(target), part, (path) => filled.personal.has(path));
  });
}

export interface SlotMount {
  device: string;
  type: RootFileSystem;
  options?: string;
}

/** Mounts a slot where fills do, runs `work` with the place, and unmounts it, whatever happens. */
export async function withSlot<Result>(
  request: Pick<FillRequest, 'mountAt' | 'processes' | 'clock' | 'task'>,
  { device, type, options = 'noatime' }: SlotMount,
  work: (directory: string) => Promise<Result>,
): Promise<Result> {
  const { mountAt = slotMountPoint, processes, clock, task } = request;
  await unmountTree(processes, mountAt, clock);
  await mkdir(mountAt, { recursive: true, mode: 0o700 });
  await mountDevice(processes, { device, directory: mountAt, type, options }, task.signal);
  try {
    return await work(mountAt);
  } finally {
    // Somebody who made a mount namespace of his own meanwhile holds a copy of this mount, and with it the file system: then it is at least clean
    // and still, and what is read back must not come from the memory that it has kept.
    const remount = ['-o', 'remount,ro', mountAt];
    await processes.run('mount', remount, { timeout: 600_000, accept: [0, 1, 32] });
    await unmountTree(processes, mountAt, clock);
    if ((await useOf(device)) !== undefined) await dropCaches();
  }
}

/** Has the kernel forget what it has read of files and written already (kernel documentation, sysctl/vm.rst). */
async function dropCaches(): Promise<void> {
  await writeFile('/proc/sys/vm/drop_caches', '1').catch(() => {});
}

/** Undefined where nothing uses a device; else what the kernel says. */
export async function useOf(device: string): Promise<string | undefined> {
  try {
    await using _ = await open(device, constants.O_RDWR | constants.O_EXCL);
    return undefined;
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    return code === 'EBUSY' ? `${displayPath(rawPath(device))} is in use` : message;
  }
}

/** What a fill did, for people. */
export function reportOf({ converged, agent }: FilledTree, reused: boolean): FillReport {
  const { files, bytes, removed, kept, warnings } = converged;
  return { reused, files, bytes, removed, kept, warnings, agent };
}
