import { resolve } from 'node:path';
import type { z } from 'zod';
import type { bootMend } from '../../contract/operations/boot.ts';
import type { Task } from '../../foundation/task.ts';
import { type DiskStructure, mendedTable } from '../../machine/disk-structure.ts';
import { describeMendStep, planBootMend } from '../../planning/plan-boot-mend.ts';
import { BootDisk } from '../../system/boot-disk.ts';
import { type BootContext, surroundingsOf } from './boot-surroundings.ts';
import { writeCopy } from './copy-file.ts';
import { findBootDisk } from './find-boot-disk.ts';
import { applyMendStep, proveMend, replacedBy } from './mend-steps.ts';
import { lookAtOwnBoot } from './own-boot.ts';
import { scanBoot } from './scan-boot.ts';

type Input = z.output<typeof bootMend.input>;
type Output = z.output<typeof bootMend.output>;

/** What a mend would do, before anything is done. */
export interface PreparedMend {
  readonly disk: Output['disk'];
  readonly steps: readonly string[];
  readonly left: readonly string[];
  readonly undo: string;
  /** Keeps what is there, writes, looks again. Errors: `boot-unproven`, `disk-full`, `io-failed`, `process-failed`, `tool-missing`. */
  apply(task: Task): Promise<Output>;
}

/**
 * Plans how a disk is made to boot again without a safety copy: a GPT from its other copy, and on a disk that Imprint installed GRUB's core, the boot code
 * and the program on the ESP, all from the modules on its boot partition. Writes nothing.
 *
 * Errors: `boot-disk-unknown`, `not-root`, `tool-missing`, `process-failed`, `io-failed`.
 */
export async function prepareMend(context: BootContext, input: Input, task: Task): Promise<PreparedMend> {
  const { processes, clock } = context;
  const { path, names } = await findBootDisk(processes, input.disk);
  using disk = await BootDisk.open(processes, path, 'read');
  const around = await surroundingsOf(context, disk, names, task.signal);
  const scan = await scanBoot(disk, around);
  const table = mendedTable((offset, length) => disk.read(offset, length), scan.structure);
  const own = await lookAtOwnBoot(processes, disk, scan, task.signal);
  const { steps, left } = planBootMend({
    size: disk.size,
    table,
    all: input.all,
    ...(own === undefined ? {} : { own }),
  });
  const remarks = own === undefined ? [whyLittle(scan.structure.label)] : [];
  const time = new Date(clock.now()).toISOString().replace(/\..*$/, '').replaceAll(/[-:]/g, '').replace('T', '-');
  const undo = resolve(input.undo ?? `boot-before-${time}.tar.gz`);
  const shown = { disk: scan.record.disk, steps: steps.map(describeMendStep), left: [...remarks, ...left] };
  return {
    ...shown,
    undo,
    async apply(inner) {
      if (steps.length === 0) return shown;
      using writable = await BootDisk.open(processes, path, 'write');
      await writeCopy(undo, await scanBoot(writable, { ...around, also: replacedBy(steps) }), inner.signal);
      inner.log(`what is there now is kept in ${undo}`);
      inner.expect(steps.length, 'steps');
      for (const step of steps) {
        inner.log(describeMendStep(step));
        await applyMendStep(context, writable, step);
        await writable.flush();
        inner.advance(1);
      }
      if (table.length > 0 && !(await writable.rereadTable())) {
        inner.warn('the kernel keeps its old view of the partitions until the next restart');
      }
      await proveMend(writable, steps, around, undo);
      return { ...shown, undo };
    },
  };
}

function whyLittle(label: DiskStructure['label']): string {
  if (label === 'none') {
    return 'The partition table is gone, and nothing on the disk says what it was: only a safety copy brings it back (imprint boot restore).';
  }
  return 'Imprint did not install this disk: only its partition table can be mended.';
}
