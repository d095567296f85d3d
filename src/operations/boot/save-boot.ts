import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { z } from 'zod';
import type { bootSave } from '../../contract/operations/boot.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { copyParts } from '../../machine/boot-copy-words.ts';
import { BootDisk } from '../../system/boot-disk.ts';
import { diskBelow } from '../../system/disk-below.ts';
import { type BootContext, surroundingsOf } from './boot-surroundings.ts';
import { writeCopy } from './copy-file.ts';
import { findBootDisk } from './find-boot-disk.ts';
import { scanBoot } from './scan-boot.ts';

type Input = z.output<typeof bootSave.input>;
type Output = z.output<typeof bootSave.output>;

/**
 * Keeps what makes a disk boot in one file. Errors: `boot-disk-unknown`, `target-exists`, `not-root`, `disk-full`, `io-failed`.
 */
export async function saveBoot(context: BootContext, input: Input, task: Task): Promise<Output> {
  const file = resolve(input.file);
  await refuseExisting(file, input.force);
  const { path, names } = await findBootDisk(context.processes, input.disk);
  using disk = await BootDisk.open(context.processes, path, 'read');
  const scan = await scanBoot(disk, await surroundingsOf(context, disk, names, task.signal));
  const written = await writeCopy(file, scan, task.signal);
  const warnings = [...scan.record.problems, ...scan.missing];
  if (disk.isDevice && (await diskBelow(file)) === disk.path) {
    warnings.push(`the copy lies on ${disk.path} itself: take it elsewhere, too`);
  }
  return { file, ...written, disk: scan.record.disk, parts: copyParts(scan.record), warnings };
}

async function refuseExisting(file: string, force: boolean): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isFile()) throw new ImprintError('target-exists', { path: file, problem: 'it is no file' });
  if (!force) throw new ImprintError('target-exists', { path: file, problem: 'it is there already' });
}
