import type { z } from 'zod';
import type { bootCheck } from '../../contract/operations/boot.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { bootProblem } from '../../machine/boot-diagnosis.ts';
import { mismatch } from '../../planning/match-boot-copy.ts';
import { BootDisk } from '../../system/boot-disk.ts';
import { type BootContext, surroundingsOf } from './boot-surroundings.ts';
import { checkBootPartition } from './check-boot-partition.ts';
import { compareBoot, differencesOf } from './compare-boot.ts';
import { openCopy } from './copy-file.ts';
import { diagnoseBoot } from './diagnose-boot.ts';
import { findBootDisk } from './find-boot-disk.ts';
import { matchDisk } from './match-disk.ts';
import { scanBoot } from './scan-boot.ts';

type Output = z.output<typeof bootCheck.output>;

/**
 * Looks whether a disk can boot, and with a safety copy at what differs from it. Writes nothing. Errors: `boot-disk-unknown`,
 * `boot-copy-invalid`, `boot-copy-foreign`, `not-root`, `io-failed`.
 */
export async function checkBoot(
  context: BootContext,
  input: z.output<typeof bootCheck.input>,
  task: Task,
): Promise<Output> {
  await using copy = input.file === undefined ? undefined : await openCopy(input.file, task.signal);
  const wish = { disk: input.disk, force: false };
  const chosen =
    copy === undefined
      ? await findBootDisk(context.processes, input.disk)
      : await matchDisk(context, copy, wish, task.signal);
  using disk = await BootDisk.open(context.processes, chosen.path, 'read', copy?.record.disk.sectorSize);
  const around = await surroundingsOf(context, disk, chosen.names, task.signal);
  const scan = await scanBoot(disk, around);
  const diagnosis = diagnoseBoot(disk, scan, around);
  const ours = await checkBootPartition(context.processes, disk, scan, task.signal);
  const broken = ours.find(({ state }) => state === 'bad');
  const problem = bootProblem(diagnosis, scan.record.machine.firmware) ?? broken?.says;
  const output = {
    disk: scan.record.disk,
    found: [...diagnosis.found, ...ours],
    ...(problem === undefined ? {} : { problem }),
  };
  if (copy === undefined) return output;
  const facts = await compareBoot(disk, copy, scan, around);
  const foreign = mismatch(copy.record, facts);
  if (foreign !== undefined) {
    throw new ImprintError('boot-copy-foreign', { file: input.file ?? '', disk: facts.disk.path, problem: foreign });
  }
  return { ...output, differences: differencesOf(facts) };
}
