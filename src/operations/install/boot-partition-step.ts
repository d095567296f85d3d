import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { quoteForGrub } from '../../machine/grub-config.ts';
import { bootPartitionPaths, type InstalledLayout, partitionLabels } from '../../machine/installed-layout.ts';
import { serialConsole } from '../../machine/kernel-options.ts';
import type { FirstEntry, StepOf } from '../../planning/step.ts';
import { makeRootFileSystem } from '../../system/filesystem.ts';
import { copyGrubModules } from '../../system/grub.ts';
import { mountDevice, unmountTree } from '../../system/mount.ts';
import { deviceSize, flushDevice } from '../../system/partition.ts';
import { rootFiles } from '../../system/root-files.ts';
import { bootDirectory, type InstallContext } from './install-context.ts';

/** Makes the boot partition whole: GRUB, the first entry with the kernel of the filled root, and the pointer that names it. */
export async function writeBootPartition(
  step: StepOf<'write-boot-partition'>,
  context: InstallContext,
  task: Task,
): Promise<void> {
  const { processes, clock, target } = context;
  const { device, layout, entry } = step;
  const { kernel } = entry;
  if (kernel === undefined) throw new ImprintError('internal', { problem: 'the plan was made without the manifest' });
  const at = bootDirectory(context);
  await unmountTree(processes, at, clock);
  const wish = { device, fileSystem: 'ext4' as const, uuid: layout.boot, inodes: 4096, label: partitionLabels.boot };
  await makeRootFileSystem(processes, { ...wish, size: await deviceSize(device) }, task.signal);
  await mountDevice(processes, { device, directory: at, type: 'ext4', options: 'noatime' }, task.signal);
  await copyGrubModules(join(at, bootPartitionPaths.grub), context.grub);
  const place = join(at, bootPartitionPaths.slots, entry.id);
  await mkdir(place, { recursive: true });
  const files = rootFiles(target);
  await cp(await files.resolve(`boot/${kernel.kernel}`), join(place, 'vmlinuz'));
  if (kernel.initrd !== undefined) await cp(await files.resolve(`boot/${kernel.initrd}`), join(place, 'initrd'));
  await mkdir(join(at, 'imprint'));
  await writeFile(join(at, bootPartitionPaths.layout), `${JSON.stringify(layout, null, 2)}\n`);
  await writeFile(join(at, bootPartitionPaths.grub, 'grub.cfg'), menu(layout, entry), { mode: 0o600 });
  await unmountTree(processes, at, clock);
  await flushDevice(device);
}

function menu(layout: InstalledLayout, entry: FirstEntry): string {
  const serial = serialConsole(entry.options);
  const words = [...rootWords(layout, entry), 'ro', ...entry.options, `imprint.slot=${entry.id}`];
  return [
    ...(serial === undefined
      ? []
      : [`serial --unit=${serial.unit} --speed=${serial.speed}`, 'terminal_output console serial']),
    'set timeout=2',
    `menuentry ${quoteForGrub(entry.title)} {`,
    `  linux /slots/${entry.id}/vmlinuz ${words.map(quoteForGrub).join(' ')}`,
    ...(entry.kernel?.initrd === undefined ? [] : [`  initrd /slots/${entry.id}/initrd`]),
    '}',
    '',
  ].join('\n');
}

/** Only an initial RAM disk can look for the UUID of a file system; a bare kernel knows partitions. */
function rootWords(layout: InstalledLayout, entry: FirstEntry): string[] {
  const slot = layout.slots.find(({ name }) => name === entry.slot);
  if (slot !== undefined && entry.kernel?.initrd === undefined) {
    return [`root=PARTUUID=${slot.partitionUuid}`, `rootfstype=${slot.fileSystem}`, 'rootwait'];
  }
  return entry.root.purpose === 'file' ? [] : [`root=UUID=${entry.root.uuid}`];
}
