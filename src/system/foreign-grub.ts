import { lstat, readFile, realpath } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { z } from 'zod';
import { ImprintError } from '../foundation/errors.ts';
import { problemOfGrubConfig } from '../machine/imager-once.ts';
import { probeFileSystem } from './find-partition.ts';
import type { Processes } from './run.ts';

/** The GRUB of a machine that Imprint did not install. */
export interface ForeignGrub {
  /** With `grub.cfg` and `grubenv`: `/boot/grub`. */
  directory: string;
  /** The same as GRUB names it. */
  path: string;
  /** Of its file system. */
  uuid: string;
  /** `grub-editenv` or, of other distributions, `grub2-editenv`. */
  editor: string;
}

const findmntSchema = z.object({
  filesystems: z.array(z.object({ source: z.string(), fstype: z.string(), fsroot: z.string(), target: z.string() })),
});
/** Where GRUB's `save_env` writes; on btrfs, RAID, LVM and the like it cannot. */
const writable = new Set(['ext2', 'ext3', 'ext4', 'xfs', 'vfat']);
const timeout = 30_000;

/**
 * The GRUB that starts this machine, where it can be told to start something else for exactly one time. `root` is another than `/` in tests.
 * Errors: `grub-unfit`, `process-failed`, `tool-missing`.
 */
export async function findForeignGrub(processes: Processes, root = '/'): Promise<ForeignGrub> {
  const found = await findGrubConfig(root);
  if (found === undefined) throw unfit('there is no /boot/grub/grub.cfg');
  const { name, directory, config } = found;
  const problem = problemOfGrubConfig(config);
  if (problem !== undefined) throw unfit(problem);
  const environment = await lstat(join(directory, 'grubenv')).catch(() => undefined);
  if (environment !== undefined && !environment.isFile()) throw unfit(`${directory}/grubenv lies elsewhere`);
  return { directory, editor: `${name}-editenv`, ...(await placeOf(processes, directory)) };
}

/** What the GRUB of a machine starts by, as its distribution wrote it; undefined: there is none. */
export async function findGrubConfig(
  root: string,
): Promise<{ name: string; directory: string; config: string } | undefined> {
  for (const name of ['grub', 'grub2']) {
    const directory = join(root, 'boot', name);
    const config = await readFile(join(directory, 'grub.cfg'), 'utf8').catch(() => undefined);
    if (config !== undefined) return { name, directory, config };
  }
  return undefined;
}

async function placeOf(processes: Processes, directory: string): Promise<Pick<ForeignGrub, 'path' | 'uuid'>> {
  const base = await realpath(directory);
  const args = ['--json', '--target', base, '--output', 'SOURCE,FSTYPE,FSROOT,TARGET'];
  const { stdout } = await processes.run('findmnt', args, { timeout });
  const mount = findmntSchema.parse(JSON.parse(stdout)).filesystems.at(-1);
  if (mount === undefined || !writable.has(mount.fstype))
    throw unfit(`it cannot write to ${mount?.fstype ?? 'nothing'}, on which ${directory} lies`);
  const device = await realpath(mount.source).catch(() => '');
  // GRUB writes to plain partitions only.
  const isPlain = await readFile(`/sys/class/block/${basename(device)}/dev`, 'utf8').catch(() => undefined);
  if (isPlain === undefined || /^(dm-|md)/.test(basename(device)))
    throw unfit(`it cannot write to ${mount.source}, on which ${directory} lies`);
  const uuid = (await probeFileSystem(processes, device))?.uuid;
  if (uuid === undefined) throw unfit(`the file system on ${device} has no UUID`);
  return { path: join(mount.fsroot, relative(mount.target, base)), uuid };
}

/** What GRUB starts next, and only then; undefined: what it starts as ever. Errors: `grub-unfit`, `process-failed`, `tool-missing`. */
export async function setNextEntry(processes: Processes, grub: ForeignGrub, entry: string | undefined): Promise<void> {
  const file = join(grub.directory, 'grubenv');
  const words = entry === undefined ? ['unset', 'next_entry'] : ['set', `next_entry=${entry}`];
  await processes.run(grub.editor, [file, ...words], { timeout });
  const { stdout } = await processes.run(grub.editor, [file, 'list'], { timeout });
  const said = /^next_entry=(.*)$/m.exec(stdout)?.[1] ?? '';
  if (said !== (entry ?? '')) throw unfit(`${file} says “${said}” after it was written`);
}

export function unfit(problem: string): ImprintError {
  return new ImprintError('grub-unfit', { problem });
}
