import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ImprintError } from '../../foundation/errors.ts';
import type { WantedArea } from '../../machine/boot-areas.ts';
import { bootProblem } from '../../machine/boot-diagnosis.ts';
import type { MendStep } from '../../planning/plan-boot-mend.ts';
import type { BootDisk } from '../../system/boot-disk.ts';
import { writeFatFiles } from '../../system/fat-files.ts';
import type { BootContext } from './boot-surroundings.ts';
import { diagnoseBoot } from './diagnose-boot.ts';
import { type BootScan, type ScanSurroundings, scanBoot } from './scan-boot.ts';

/** Does one step. Errors: `io-failed`, `process-failed`, `tool-missing`. */
export async function applyMendStep({ processes }: BootContext, disk: BootDisk, step: MendStep): Promise<void> {
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

/** Every byte reads back as it was written, and what was mended counts as whole. Errors: `boot-unproven`, `io-failed`. */
export async function proveMend(
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
export function replacedBy(steps: readonly MendStep[]): WantedArea[] {
  return steps.flatMap((step, index) =>
    step.kind === 'write-bytes'
      ? step.pieces.map(({ offset, bytes }, piece) => ({
          ...{ part: 'table' as const, name: `before-${index}-${piece}`, offset, length: bytes.length },
        }))
      : [],
  );
}
