import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { z } from 'zod';
import type { bootMend } from '../../contract/operations/boot.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { bootProblem } from '../../machine/boot-diagnosis.ts';
import { mendedTable } from '../../machine/disk-structure.ts';
import { describeMendStep, type MendStep, planBootMend } from '../../planning/plan-boot-mend.ts';
import { BootDisk } from '../../system/boot-disk.ts';
import { writeFatFiles } from '../../system/fat-files.ts';
import { type BootContext, surroundingsOf } from './boot-surroundings.ts';
import { writeCopy } from './copy-file.ts';
import { diagnoseBoot } from './diagnose-boot.ts';
import { findBootDisk } from './find-boot-disk.ts';
import { lookAtOwnBoot } from './own-boot.ts';
import { type BootScan, type ScanSurroundings, scanBoot } from './scan-boot.ts';

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
  const { steps, left } = planBootMend({ table, all: input.all, ...(own === undefined ? {} : { own }) });
  const remarks =
    own === undefined ? ['Imprint did not install this disk: only its partition table can be mended.'] : [];
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
      await prove(writable, steps, around, undo);
      return { ...shown, undo };
    },
  };
}

async function applyMendStep({ processes }: BootContext, disk: BootDisk, step: MendStep): Promise<void> {
  if (step.kind === 'write-bytes') {
    for (const { offset, bytes } of step.pieces) disk.write(offset, bytes);
    return;
  }
  const directory = await mkdtemp(join(tmpdir(), 'imprint-mend-'));
  try {
    const from = join(directory, 'program');
    await writeFile(from, step.content);
    const place = { path: disk.path, offset: step.offset };
    await writeFatFiles(processes, place, [{ path: step.path, from }], new AbortController().signal);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Every byte reads back as it was written, and what was mended counts as whole. */
async function prove(
  disk: BootDisk,
  steps: readonly MendStep[],
  around: ScanSurroundings,
  undo: string,
): Promise<void> {
  const unproven = (problem: string) => new ImprintError('boot-unproven', { disk: disk.path, problem, undo });
  for (const step of steps) {
    if (step.kind !== 'write-bytes') continue;
    // What was written onto the ESP after it was made is seen below.
    const same = step.pieces.every(({ offset, bytes }) => disk.read(offset, bytes.length).equals(bytes));
    if (!same) throw unproven(step.what);
  }
  const scan: BootScan = await scanBoot(disk, around);
  const problem = bootProblem(diagnoseBoot(disk, scan, around), undefined);
  const touched = steps.some((step) => step.kind === 'write-program' || step.what.includes('boot code'));
  if (problem !== undefined && touched) throw unproven(problem);
}

/** All that the steps will write over, for the copy of what is there now. */
function replacedBy(steps: readonly MendStep[]) {
  return steps.flatMap((step, index) =>
    step.kind === 'write-bytes'
      ? step.pieces.map(({ offset, bytes }, piece) => ({
          ...{ part: 'table' as const, name: `before-${index}-${piece}`, offset, length: bytes.length },
        }))
      : [],
  );
}
