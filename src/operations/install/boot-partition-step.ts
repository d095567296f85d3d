import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import type { StepOf } from '../../planning/step.ts';
import { mountBootPartition } from '../../system/boot-mount.ts';
import { makeReplica } from '../../system/boot-replica.ts';
import { makeBootPartition } from '../../system/make-boot-partition.ts';
import { unmountTree } from '../../system/mount.ts';
import { bootDirectory, copyDirectory, type InstallContext } from './install-context.ts';
import { prepareEntry } from './prepare-entry.ts';

/** Seconds that GRUB's menu waits. */
const menuSeconds = 2;

/** Makes the boot partition whole: GRUB, the first entry with the kernel of the filled root, and the pointer that names it. */
export async function writeBootPartition(
  step: StepOf<'write-boot-partition'>,
  context: InstallContext,
  task: Task,
): Promise<void> {
  const { processes, clock, target, makers } = context;
  const { device, layout, entry } = step;
  const { kernel, root: boot, options, ...named } = entry;
  if (kernel === undefined) throw new ImprintError('internal', { problem: 'the plan was made without the manifest' });
  const request = { processes, root: target, kernel, boot, slot: entry.slot, layout, options };
  const { files, ...how } = await prepareEntry({ ...request, ...(makers && { makers }) }, task);
  const mountAt = bootDirectory(context);
  await unmountTree(processes, mountAt, clock);
  const created = new Date(clock.now()).toISOString();
  await makeBootPartition(
    processes,
    {
      ...{ device, uuid: layout.boot, mountAt, layout, files, timeout: menuSeconds },
      entry: { ...named, ...how, created },
      ...(context.grub !== undefined && { grub: context.grub }),
    },
    task.signal,
  );
}

/** Copies it, whole by now, to another disk, so that this one starts the machine, too. */
export async function copyBootPartition(
  { from, device, uuid }: StepOf<'copy-boot-partition'>,
  context: InstallContext,
  task: Task,
): Promise<void> {
  const { processes, clock } = context;
  const mountAt = copyDirectory(context);
  await unmountTree(processes, mountAt, clock);
  const directory = bootDirectory(context);
  await using first = await mountBootPartition(processes, clock, { device: from, directory, readOnly: true });
  await makeReplica(processes, clock, { source: first.directory, device, uuid, mountAt }, task.signal);
}
