import { stat } from 'node:fs/promises';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { MediumDisk } from '../../system/medium-disk.ts';
import type { Context } from '../context.ts';
import { writingBeside } from '../export-target.ts';

export interface MediumTarget {
  target: string;
  /** Bytes of the medium. */
  size: number;
  /** Replaces a file that is there. */
  force: boolean;
}

/**
 * Opens what a medium is written to: a new file, which appears when it is whole. Returns whether it is a device. Errors: `target-exists`,
 * `directory-not-found`, `disk-full`, `io-failed`, and those of `work`.
 */
export async function withMediumTarget(
  _context: Context,
  { target, size, force }: MediumTarget,
  task: Task,
  work: (disk: MediumDisk) => Promise<void>,
): Promise<boolean> {
  const found = await stat(target).catch(() => undefined);
  if (found?.isBlockDevice()) {
    throw new ImprintError('usage', {
      problem: `${target} is a device.`,
      hint: 'Write an image of the medium into a file, and that onto the device.',
    });
  }
  await writingBeside(target, 'file', force, task.signal, async (path) => {
    using disk = new MediumDisk(path);
    disk.resize(size);
    await work(disk);
    disk.sync();
  });
  return false;
}
