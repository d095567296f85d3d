import { open, rm } from 'node:fs/promises';
import type { KeyGrowInput, KeyGrowOutput } from '../../contract/operations/keys.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { copySparse, makeSparse } from '../../system/copy-sparse.ts';
import type { Processes, ProcessOptions } from '../../system/run.ts';
import type { Context } from '../context.ts';
import { openKey, unusedOf } from './open-key.ts';

const mebibyte = 2 ** 20;
const patience = 15 * 60_000;

/**
 * `imprint key grow`: lets the partition with the ISO files reach to the end of its disk or file: first the table, then the file system. It may be broken off after
 * either, and be called again. Errors: those of `keyGrow`, `disk-full`.
 */
export async function growKey(context: Context, input: KeyGrowInput, task: Task): Promise<KeyGrowOutput> {
  const { processes } = context;
  const options = { timeout: patience, signal: task.signal };
  const before = await openKey(context, input.key, task);
  if (input.size !== undefined) await enlargeFile(before.path, before.isDevice, before.size, input.size);
  const key = input.size === undefined ? before : await openKey(context, input.key, task);
  const size = key.isos.size + unusedOf(key);
  if (unusedOf(key) >= mebibyte) {
    await task.part('enlarge the partition', async () => {
      // The copy of the table lies at the end, which is elsewhere now.
      const quiet = ['--quiet', '--no-reread', '--no-tell-kernel'];
      await processes.run('sfdisk', [...quiet, '--relocate', 'gpt-bak-std', key.path], options);
      const change = { ...options, input: `${key.isos.start / 512}, ${size / 512}\n` };
      await processes.run(
        'sfdisk',
        [...quiet, '--wipe', 'never', '--wipe-partitions', 'never', '-N', '3', key.path],
        change,
      );
    });
  }
  await task.part('enlarge the file system', async () => {
    const words = [`${Math.floor(size / 4096) * 4}K`];
    if (key.isDevice) return resize(processes, `${key.path}?offset=${key.isos.start}`, words, options);
    // resize2fs cuts a plain file off where the file system would end if it began with the file: it gets one that does.
    const aside = `${key.path}.imprint-part`;
    await rm(aside, { force: true });
    try {
      makeSparse(aside, size);
      copySparse({ path: key.path, start: key.isos.start }, { path: aside, start: 0 }, key.isos.size, task.signal);
      await resize(processes, aside, words, options);
      copySparse({ path: aside, start: 0 }, { path: key.path, start: key.isos.start }, size, task.signal);
    } finally {
      await rm(aside, { force: true });
    }
  });
  if (key.isDevice) await processes.run('blockdev', ['--rereadpt', key.path], { timeout: 30_000, accept: [0, 1] });
  return { key: input.key, before: before.isos.size, after: size };
}

async function resize(processes: Processes, place: string, words: string[], options: ProcessOptions): Promise<void> {
  await processes.run('e2fsck', ['-f', '-p', place], { ...options, accept: [0, 1] });
  await processes.run('resize2fs', [place, ...words], options);
}

async function enlargeFile(path: string, isDevice: boolean, now: number, size: number): Promise<void> {
  const hint = 'Name a size larger than it is, or none: then all of the disk or file is used.';
  if (isDevice) throw new ImprintError('usage', { problem: `${path} is a disk, whose size is what it is.`, hint });
  if (size < now) throw new ImprintError('usage', { problem: `${path} is larger than that already.`, hint });
  await using file = await open(path, 'r+');
  await file.truncate(Math.floor(size / mebibyte) * mebibyte);
}
