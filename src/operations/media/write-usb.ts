import type { UsbMediaInput, UsbMediaOutput } from '../../contract/operations/media.ts';
import type { Task } from '../../foundation/task.ts';
import { mediumLabels } from '../../machine/medium-names.ts';
import { layMedium, type MediumTable } from '../../machine/medium-table.ts';
import type { DiskFile } from '../../system/disk-file.ts';
import { embedGrub, writeMediumTable } from '../../system/medium-disk.ts';
import type { Context } from '../context.ts';
import { type BootPrograms, bootFiles, makeBootPrograms } from './boot-programs.ts';
import { type Ext4Files, layFiles, writeFilesAsExt4 } from './ext4-files.ts';
import { gatherImagerContent, type ImagerContent } from './imager-content.ts';
import { mediumTime } from './imager-parts.ts';
import type { MakeLiveImager } from './live-imager.ts';
import { withMediumTarget } from './medium-target.ts';
import { bootWishes, volumeName, writeFat } from './write-boot-disk.ts';

/** Everything of a medium before a byte of it is written. */
interface UsbPlan extends Pick<ImagerContent, 'names'> {
  table: MediumTable;
  /** Of the FAT file system. */
  files: Record<string, Uint8Array>;
  programs: BootPrograms;
  store?: Ext4Files;
  time: number;
}

/**
 * `imprint media usb`: a medium with the imager that boots on BIOS and UEFI, as the image of a disk or on the disk itself. Same inputs, same bytes. Neither
 * mounts nor root are needed for a file.
 *
 * Errors: those of `usbMedia`, `io-failed`, `interrupted`.
 */
export async function writeUsbMedium(
  context: Context,
  input: UsbMediaInput,
  task: Task,
  makeLive?: MakeLiveImager,
): Promise<UsbMediaOutput> {
  await using content = await gatherImagerContent(context, 'usb', input, task, makeLive);
  const plan = await task.part('make it boot', (part) => planUsb(context, content, part));
  const { target, force } = input;
  const { table } = plan;
  const device = await withMediumTarget(context, { target, size: table.size, force }, task, (disk) =>
    task.part('write', (part) => writeUsb(context, disk, plan, part)),
  );
  const partitions = table.partitions.map(({ number, name, start, size }) => ({ number, name, start, size }));
  return { target, device, bytes: table.size, partitions, ...content.output };
}

async function planUsb({ processes }: Context, content: ImagerContent, task: Task): Promise<UsbPlan> {
  const { names, signed } = content;
  const time = mediumTime();
  const volume = volumeName(names.volumeId('boot'));
  const programs = await makeBootPrograms(processes, volume, signed, task.signal);
  const files = { ...bootFiles(programs, content.menu(`--fs-uuid ${volume}`)), ...content.files() };
  const bytes = Object.values(files).reduce((sum, each) => sum + each.length + 4096, 0);
  const store = content.store === undefined ? undefined : layFiles(content.store.files, time);
  const wishes = bootWishes(names, 'Imprint', bytes);
  if (store !== undefined) {
    const uuid = names.uuid('partition store');
    wishes.push({ number: 3, role: 'data', name: 'Imprint images', size: store.size, uuid });
  }
  return { names, table: layMedium(names.uuid('table'), wishes), files, programs, time, ...(store && { store }) };
}

async function writeUsb({ processes }: Context, disk: DiskFile, plan: UsbPlan, task: Task): Promise<void> {
  const { table, names, time } = plan;
  await writeMediumTable(processes, disk, table, task.signal);
  const [bios, boot, data] = table.partitions;
  if (bios === undefined || boot === undefined) throw new RangeError('a medium without its first partitions');
  writeFat(disk, boot, { volumeId: names.volumeId('boot'), label: mediumLabels.boot, files: plan.files, time });
  if (data !== undefined && plan.store !== undefined) {
    const place = { ...data, uuid: names.uuid('store'), label: mediumLabels.store, time };
    await task.part('write images', (part) => writeFilesAsExt4(processes, disk, place, plan.store as Ext4Files, part));
  }
  // Last: a medium that was not finished starts nothing.
  embedGrub(disk, bios, plan.programs.bios);
}
