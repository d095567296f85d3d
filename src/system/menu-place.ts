import { readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { z } from 'zod';
import { ImprintError } from '../foundation/errors.ts';
import { probeFileSystem } from './find-partition.ts';
import type { Processes } from './run.ts';

/** A directory in which GRUB finds a menu. */
export interface MenuPlace {
  /** On this system. */
  directory: string;
  /** As GRUB sees it: from the top of the file system. */
  path: string;
  /** Of the file system. */
  uuid: string;
  /** `ext4`, and the module with which GRUB reads it. */
  fileSystem: string;
  module: string;
  /** The partition, and its disk. */
  device: string;
  disk: string;
  mountPoint: string;
}

/** Of the menu, in the directory that was named. */
export const menuDirectory = 'imprint-menu';

const findmntSchema = z.object({
  filesystems: z
    .array(z.object({ source: z.string(), fstype: z.string(), fsroot: z.string(), target: z.string() }))
    .min(1),
});

/** What GRUB 2.06 reads, also under Secure Boot. */
const modules: Readonly<Record<string, string>> = {
  ext2: 'ext2',
  ext3: 'ext2',
  ext4: 'ext2',
  xfs: 'xfs',
  btrfs: 'btrfs',
  vfat: 'fat',
};

/**
 * Where a directory for GRUB in this one, of that name, lies. Errors: `boot-place-unfit` where GRUB could not read it, or it goes with the running system; `process-failed`, `tool-missing`.
 */
export async function findMenuPlace(
  processes: Processes,
  given: string,
  { name, ofSystem = 'refused' }: { name: string; ofSystem?: 'refused' | 'allowed' } = { name: menuDirectory },
): Promise<MenuPlace> {
  const unfit = (problem: string) => new ImprintError('boot-place-unfit', { directory: given, problem });
  const base = await realpath(given).catch(() => undefined);
  if (base === undefined || !(await stat(base)).isDirectory()) throw unfit('it is no directory that is there');
  const args = ['--json', '--target', base, '--output', 'SOURCE,FSTYPE,FSROOT,TARGET'];
  const { stdout } = await processes.run('findmnt', args, { timeout: 30_000 });
  const [mount] = findmntSchema.parse(JSON.parse(stdout)).filesystems;
  if (mount === undefined) throw unfit('nothing is mounted there');
  const { fstype, fsroot, target } = mount;
  const device = await realpath(mount.source.replace(/\[.*\]$/, '')).catch(() => '');
  const module = modules[fstype];
  if (module === undefined || !device.startsWith('/dev/'))
    throw unfit(`GRUB does not find it on ${fstype} (${mount.source})`);
  if (target === '/' && ofSystem === 'refused')
    throw unfit('it is part of the running system, and would go with it; name a directory of a shared partition');
  // To have GRUB see what was written, it would be frozen for a moment (below), and with it this program.
  if (target === '/' && module === 'xfs')
    throw unfit('GRUB would not see what is written to the running system on xfs');
  const sys = await realpath(`/sys/class/block/${basename(device)}`).catch(() => '');
  const isPartition = await readFile(join(sys, 'partition'), 'utf8').catch(() => undefined);
  if (isPartition === undefined) throw unfit(`${device} is no partition of a disk that firmware could start`);
  const uuid = (await probeFileSystem(processes, device))?.uuid;
  if (uuid === undefined) throw unfit(`the file system on ${device} has no UUID`);
  const path = join(fsroot, relative(target, base), name);
  const disk = `/dev/${basename(dirname(sys))}`;
  return { directory: join(base, name), path, uuid, fileSystem: fstype, module, device, disk, mountPoint: target };
}

/** Has GRUB, which replays no journal, see what was written. Errors: `process-failed`, `tool-missing`. */
export async function settleForGrub(processes: Processes, { mountPoint, device, module }: MenuPlace): Promise<void> {
  await processes.run('sync', ['--file-system', mountPoint], { timeout: 300_000 });
  // Only xfs keeps in its journal what was synced. Nothing of the running system is on it: nobody waits for more than a moment.
  if (module === 'xfs') {
    try {
      await processes.run('fsfreeze', ['--freeze', mountPoint], { timeout: 300_000 });
    } finally {
      await processes.run('fsfreeze', ['--unfreeze', mountPoint], { timeout: 300_000, accept: [0, 1] });
    }
  }
  await processes.run('blockdev', ['--flushbufs', device], { timeout: 60_000, accept: [0, 1] });
}
