import { constants } from 'node:fs';
import { mkdir, open, readdir, readFile, realpath, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { rawPath } from '../../foundation/brand.ts';
import type { RootFileSystem } from '../../machine/root-file-system.ts';
import { mountDevice, unmountTree } from '../../system/mount.ts';
import { convergeTree, syncTree } from '../../tree/converge-tree.ts';
import { writeKeptVersion } from '../install/write-agent.ts';
import type { FilledTree, FillReport, FillRequest, SlotRoot } from './fill-request.ts';
import { keepConfiguration } from './kept-configuration.ts';
import { personalise } from './personalise.ts';
import { forgetSlotVersion, isImprints, readSlotVersion } from './slot-version.ts';

export type { FilledSlot, FilledTree, FillReport, FillRequest, SlotRoot } from './fill-request.ts';

/** Codes of errors that a new file system may mend. */
export const mendable: ReadonlySet<string> = new Set([
  'disk-full',
  'io-failed',
  'read-only',
  'tree-differs',
  'process-failed',
]);

const slotMountPoint = '/run/imprint/slot';

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
  // As long as all of it is the version's: what becomes this machine's own now is needed again by the update after this one.
  await keepConfiguration({ root: target, digest: content.digest, manifestFile: content.manifestFile });
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
  const { mountAt = slotMountPoint, processes, clock } = request;
  await unmountTree(processes, mountAt, clock);
  await mkdir(mountAt, { recursive: true, mode: 0o700 });
  // Programs of an earlier version have holes that were closed since; nobody may borrow root's rights from them meanwhile.
  await mountSlot(request, { device, type, options: `${options},nosuid` }, mountAt);
  try {
    return await work(mountAt);
  } finally {
    // Somebody who made a mount namespace of his own meanwhile holds a copy of this mount, and with it the file system: then it is at least clean
    // and still, and what is read back must not come from the memory that it has kept.
    const remount = ['-o', 'remount,ro', mountAt];
    await processes.run('mount', remount, { timeout: 600_000, accept: [0, 1, 32] });
    await unmountTree(processes, mountAt, clock);
    if (await isHeld(device)) await dropCaches();
  }
}

async function mountSlot(
  { processes, task }: Pick<FillRequest, 'processes' | 'task'>,
  { device, type, options }: Required<SlotMount>,
  directory: string,
): Promise<void> {
  const held = await isHeld(device);
  const first = held ? `ro,${options.replace(/^ro,/, '')}` : options;
  await mountDevice(processes, { device, directory, type, options: first }, task.signal);
  // The file system that is held is read-only, and would not be mounted otherwise.
  if (first !== options) {
    await processes.run('mount', ['-o', `remount,rw,${options}`, directory], { timeout: 120_000, signal: task.signal });
  }
}

/** Whether the kernel would not give a device to anybody alone. */
async function isHeld(device: string): Promise<boolean> {
  try {
    await using _ = await open(device, constants.O_RDONLY | constants.O_EXCL);
    return false;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EBUSY';
  }
}

/** Has the kernel forget what it has read of files and written already (kernel documentation, sysctl/vm.rst). */
async function dropCaches(): Promise<void> {
  await writeFile('/proc/sys/vm/drop_caches', '1').catch(() => {});
}

/**
 * Undefined where a device may be filled; else what uses it. Copies of a mount that other mount namespaces took along are no use of it: their
 * file system was left read-only and clean.
 */
export async function useOf(device: string): Promise<string | undefined> {
  try {
    await using _ = await open(device, constants.O_RDWR | constants.O_EXCL);
    return undefined;
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    if (code !== 'EBUSY') return message;
  }
  const name = basename(await realpath(device));
  const holders = await readdir(`/sys/class/block/${name}/holders`).catch((): string[] => []);
  if (holders.length > 0) return `${holders.join(', ')} lies on ${device}`;
  const number = (await readFile(`/sys/class/block/${name}/dev`, 'utf8').catch(() => '')).trim();
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').map((line) => line.split(' '));
  const mounted = mounts.find((fields) => fields[2] === number || fields.includes(device));
  if (mounted !== undefined) return `${device} is mounted on ${mounted[4]}`;
  const swaps = await readFile('/proc/swaps', 'utf8').catch(() => '');
  return swaps.includes(`${device} `) ? `${device} is swapped to` : undefined;
}

/** What a fill did, for people. */
export function reportOf({ converged, agent }: FilledTree, reused: boolean): FillReport {
  const { files, bytes, removed, kept, warnings } = converged;
  return { reused, files, bytes, removed, kept, warnings, agent };
}
