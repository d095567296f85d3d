import { formatBytes } from '../../foundation/bytes.ts';
import { ImprintError, toImprintError } from '../../foundation/errors.ts';
import type { PartitionSlot } from '../../machine/installed-layout.ts';
import { type Content, rootSpace } from '../../planning/install-space.ts';
import { hasExt4Errors } from '../../system/ext4-state.ts';
import { makeRootFileSystem } from '../../system/filesystem.ts';
import { findSlotDevice, probeFileSystem } from '../../system/find-partition.ts';
import { deviceSize, flushDevice } from '../../system/partition.ts';
import { entryFiles } from './entry-files.ts';
import {
  type FilledSlot,
  type FilledTree,
  type FillRequest,
  fillTree,
  mendable,
  reportOf,
  type SlotRoot,
  useOf,
  verifyFilled,
  withSlot,
} from './fill-slot.ts';

export interface FillPartitionRequest extends FillRequest {
  /** Name of the slot: never that of the good entry, nor the one that runs. */
  slot: string;
  /** Default: looked for by the partition's UUID. */
  device?: string;
}

/**
 * Fills a spare system partition with a version. What is in it is the base, where that is sound: only what differs is written. Else, and where it will not
 * do, it is made anew with the same UUID. Read back from the disk before it returns; nothing of it is mounted then. The boot partition
 * is not touched.
 *
 * Errors: `slot-unfit` before anything is written; `image-unfit`, `disk-full`, `tree-differs`, `io-failed`, and those of the content.
 */
export async function fillPartitionSlot(request: FillPartitionRequest): Promise<FilledSlot> {
  const { processes, layout, task, content } = request;
  const slot = layout.slots.find(({ name }) => name === request.slot);
  if (slot === undefined) {
    throw new ImprintError('slot-unfit', { slot: request.slot, problem: 'this machine has no slot of that name' });
  }
  const device = request.device ?? (await findSlotDevice(processes, slot));
  const use = await useOf(device);
  if (use !== undefined) throw new ImprintError('slot-unfit', { slot: slot.name, problem: use });
  await requirePartitionRoom(content.record.stats, slot.name, device);
  if (await isSound(request, slot, device)) {
    try {
      return await fill(request, slot, device, true);
    } catch (thrown) {
      task.signal.throwIfAborted();
      const error = toImprintError(thrown);
      if (!mendable.has(error.code)) throw error;
      task.log(`what is in the slot ${slot.name} cannot be built on (${error.message}); it is made anew`);
    }
  }
  const { record } = content;
  const size = await deviceSize(device);
  const inodes = Math.ceil(record.stats.entries * 1.5) + 65_536;
  const { fileSystem, uuid } = slot;
  await makeRootFileSystem(processes, { device, fileSystem, uuid, size, inodes }, task.signal);
  return fill(request, slot, device, false);
}

async function fill(
  request: FillPartitionRequest,
  slot: PartitionSlot,
  device: string,
  reused: boolean,
): Promise<FilledSlot> {
  const { name, uuid, fileSystem } = slot;
  const root: SlotRoot = { slot: name, uuid, fileSystem };
  const mount = { device, type: fileSystem };
  const filled: FilledTree = await withSlot(request, mount, (target) => fillTree(request, target, root));
  await flushDevice(device);
  // Mounted anew: what is read now comes from the disk.
  return withSlot(request, { ...mount, options: 'ro,noatime' }, async (target) => {
    await verifyFilled(request, target, filled);
    return { ...(await entryFiles(request, target, root)), report: reportOf(filled, reused) };
  });
}

/** Refuses a version that a partition cannot hold. Errors: `slot-unfit`. */
export async function requirePartitionRoom(stats: Content, slot: string, device: string): Promise<void> {
  const [size, needed] = [await deviceSize(device), rootSpace(stats)];
  if (size >= needed) return;
  const problem = `it holds ${formatBytes(size)}, and at least ${formatBytes(needed)} are needed`;
  throw new ImprintError('slot-unfit', { slot, problem });
}

/** Whether the file system that the install made is there, and nobody found it damaged. */
async function isSound({ processes }: FillRequest, slot: PartitionSlot, device: string): Promise<boolean> {
  const found = await probeFileSystem(processes, device);
  if (found?.uuid.toLowerCase() !== slot.uuid.toLowerCase() || found.type !== slot.fileSystem) return false;
  return slot.fileSystem !== 'ext4' || !(await hasExt4Errors(device));
}
