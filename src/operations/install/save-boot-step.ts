import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ImprintError, toImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import type { StepOf } from '../../planning/step.ts';
import { BootDisk } from '../../system/boot-disk.ts';
import { surroundingsOf } from '../boot/boot-surroundings.ts';
import { writeCopy } from '../boot/copy-file.ts';
import { findBootDisk } from '../boot/find-boot-disk.ts';
import { scanBoot } from '../boot/scan-boot.ts';
import type { InstallContext } from './install-context.ts';

/** Makes a safety copy of what boots from a disk, and has it kept. Errors: `boot-unsaved`, `interrupted`. */
export async function saveBootBefore(
  { disk, machine, to }: StepOf<'save-boot'>,
  { processes, clock, keepBootCopy }: InstallContext,
  task: Task,
): Promise<void> {
  // In memory, where this runs; it is gone with the restart.
  const directory = await mkdtemp(join(tmpdir(), 'imprint-before-'));
  try {
    if (keepBootCopy === undefined) throw new Error('nobody is there to keep it');
    const file = join(directory, 'copy.tar.gz');
    await copyInto(file);
    task.log(`what booted from ${disk} is ${await keepBootCopy({ file, machine }, task.signal)}`);
  } catch (thrown) {
    task.signal.throwIfAborted();
    throw unsaved(thrown);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }

  async function copyInto(file: string): Promise<void> {
    const { names } = await findBootDisk(processes, disk);
    using opened = await BootDisk.open(processes, disk, 'read');
    const around = await surroundingsOf({ processes, clock }, opened, names, task.signal);
    // The imager's own host name says nothing.
    const scan = await scanBoot(opened, { ...around, machine: { ...around.machine, name: machine } });
    for (const problem of scan.missing) task.warn(`the copy of ${disk} lacks what cannot be read: ${problem}`);
    await writeCopy(file, scan, task.signal);
  }

  function unsaved(cause: unknown): ImprintError {
    const without =
      to === 'server'
        ? `without a copy: imprint install ${machine} --boot-copy none`
        : 'without a copy, with BOOT_COPY=none in local.cfg.';
    const details = { disk, machine, problem: problemOf(cause), hint: `Mend that and install again, or ${without}` };
    return new ImprintError('boot-unsaved', details, { cause });
  }
}

function problemOf(thrown: unknown): string {
  const error = toImprintError(thrown);
  const text = error.code === 'internal' && thrown instanceof Error ? thrown.message : error.message;
  return text.replace(/\.$/, '');
}
