import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { DiskFacts } from '../../contract/machine.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { describeDisk } from '../../machine/disk-rule.ts';
import { DiskFile } from '../../system/disk-file.ts';
import { readDisks } from '../../system/machine-facts.ts';
import { openDiskExclusively } from '../../system/partition.ts';
import type { Context } from '../context.ts';
import { writingBeside } from '../export-target.ts';

export interface MediumTarget {
  target: string;
  /** Bytes of the medium; on a device all of it is the medium's. */
  size: number;
  /** Replaces a file that is there. */
  force: boolean;
}

/**
 * The disk that a medium is to be written to, undefined where that is a file. Only what can be pulled out is taken, and only as a whole; nothing that is in use.
 * Errors: `device-refused`, `tool-missing`, `process-failed`.
 */
export async function findTargetDisk(
  { processes }: Pick<Context, 'processes'>,
  target: string,
): Promise<DiskFacts | undefined> {
  const found = await stat(target).catch(() => undefined);
  // A file of that name would fill the memory that devices are shown in, and no stick.
  if (found === undefined && /^\/dev\/(?!shm\/)/.test(resolve(target))) {
    const hint = 'Is the stick in? lsblk shows what there is.';
    throw new ImprintError('device-refused', { device: target, problem: 'there is no such device', hint });
  }
  if (found === undefined || found.isFile() || found.isDirectory()) return undefined;
  const refuse = (problem: string, hint: string) =>
    new ImprintError('device-refused', { device: target, problem, hint });
  const other = 'Name a USB stick or another disk that can be pulled out, or a file: lsblk shows what there is.';
  if (!found.isBlockDevice()) throw refuse('it is neither a file nor a disk', other);
  // A loop device is a disk for whoever made one.
  const disks = await readDisks(processes, /^\/dev\/loop\d+$/.test(target) ? [target] : []);
  const disk = disks.find(({ path }) => path === target);
  if (disk === undefined)
    throw refuse('it is no whole disk', 'Name the disk, not a partition of it: /dev/sdb, not /dev/sdb1.');
  if (disk.readOnly) throw refuse('it cannot be written (is its switch set to “lock”?)', other);
  if (disk.inUse.length > 0)
    throw refuse(
      `it is in use (${disk.inUse.join(', ')})`,
      'Unmount it first, and look twice whether it is the right one.',
    );
  if (!disk.removable && disk.transport !== 'usb' && !target.startsWith('/dev/loop'))
    throw refuse(`it is no disk that can be pulled out: ${describeDisk(disk)}`, other);
  if (disk.sectorSize !== 512)
    throw refuse(`its sectors are ${disk.sectorSize} bytes long, and BIOSes start only from 512`, other);
  return disk;
}

/**
 * Opens what a medium is written to: a new file, which appears when it is whole, or a disk, of which nothing stays. Returns whether it is a device. Errors:
 * `device-refused`, `disk-too-small`, `target-exists`, `directory-not-found`, `disk-full`, `io-failed`, and those of `work`.
 */
export async function withMediumTarget(
  context: Pick<Context, 'processes'>,
  { target, size, force }: MediumTarget,
  task: Task,
  work: (disk: DiskFile) => Promise<void>,
): Promise<boolean> {
  const device = await findTargetDisk(context, target);
  if (device !== undefined) {
    if (device.size < size) {
      const problem = `it is too small: ${describeDisk(device)}`;
      throw new ImprintError('device-refused', { device: target, problem, hint: 'Use a larger one.' });
    }
    // The kernel says no while anything on it is in use, whatever was seen before.
    await (await openDiskExclusively(target)).close();
    using disk = new DiskFile(target);
    await work(disk);
    disk.sync();
    await context.processes.run('blockdev', ['--rereadpt', target], { timeout: 30_000, accept: [0, 1] });
    return true;
  }
  await writingBeside(target, 'file', force, task.signal, async (path) => {
    using disk = new DiskFile(path);
    disk.resize(size);
    await work(disk);
    disk.sync();
  });
  return false;
}
