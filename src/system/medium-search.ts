import { constants, open, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../foundation/clock.ts';
import { isSettingsName, type SettingsPlace } from '../machine/choose-settings.ts';
import { mediumLabels, mediumPaths } from '../machine/medium-names.ts';
import { mountDevice, unmountTree, untouchedOptions } from './mount.ts';
import type { Processes } from './run.ts';

/** A file system that a medium of ours, or somebody's settings, may lie on. */
export interface LabelledDevice {
  /** `/dev/sdb2`. */
  device: string;
  label: string;
  fileSystem: string;
  /** The whole disk: `/dev/sdb`. */
  disk: string;
}

const lsblkSchema = z.object({
  blockdevices: z.array(z.looseObject({ path: z.string(), pkname: z.string().nullish() })),
});
const recordSchema = z.looseObject({ id: z.string() });
const fileSystems = ['vfat', 'ext2', 'ext3', 'ext4', 'iso9660'];
/** More than a `local.cfg` may have, so that a longer one is seen to be too long; and more than the record of a medium. */
const readLimit = (64 << 10) + 1;

/**
 * Every file system here with one of these labels, in any case of letters. The devices themselves are asked: udev may not have seen them yet.
 * Errors: `tool-missing`, `process-failed`.
 */
export async function labelledDevices(
  processes: Processes,
  labels: readonly string[],
  isReadable: (path: string) => boolean = () => true,
): Promise<LabelledDevice[]> {
  const { stdout } = await processes.run('lsblk', ['--json', '--list', '--output', 'PATH,PKNAME'], { timeout: 60_000 });
  const found: LabelledDevice[] = [];
  for (const { path, pkname } of lsblkSchema.parse(JSON.parse(stdout)).blockdevices) {
    if (!isReadable(path)) continue;
    const args = ['--probe', '--output', 'export', path];
    // 2: nothing is there that it knows; 8: several things at once.
    const answer = await processes.run('blkid', args, { timeout: 60_000, accept: [0, 2, 8] });
    const values = new Map(answer.stdout.split('\n').map((line) => line.split(/=(.*)/s, 2) as [string, string]));
    const label = (values.get('LABEL') ?? '').replaceAll(/\\(.)/g, '$1');
    const fileSystem = values.get('TYPE') ?? '';
    if (!labels.includes(label.toUpperCase()) || !fileSystems.includes(fileSystem)) continue;
    // A disk without a table is its own.
    found.push({ device: path, label, fileSystem, disk: pkname ? `/dev/${basename(pkname)}` : path });
  }
  return found;
}

/** What lies of settings on every medium and labelled partition here. One that cannot be mounted is left out. Errors: as `labelledDevices`. */
export async function searchSettings(
  processes: Processes,
  clock: Clock,
  directory: string,
  isReadable?: (path: string) => boolean,
): Promise<(SettingsPlace & LabelledDevice)[]> {
  const found: (SettingsPlace & LabelledDevice)[] = [];
  for (const each of await labelledDevices(processes, [mediumLabels.boot, mediumLabels.settings], isReadable)) {
    const mounted = await mountMedium(processes, each, directory).then(
      () => true,
      () => false,
    );
    if (!mounted) continue;
    try {
      const medium = await readRecord(directory);
      found.push({ ...each, ...(medium !== undefined && { medium }), files: await readSettings(directory) });
    } finally {
      await unmountTree(processes, directory, clock);
    }
  }
  return found;
}

/** Mounts one for reading; nothing on it is changed, no journal played. Errors: `process-failed`. */
export async function mountMedium(
  processes: Processes,
  { device, fileSystem }: Pick<LabelledDevice, 'device' | 'fileSystem'>,
  directory: string,
): Promise<void> {
  await mountDevice(processes, { device, directory, type: fileSystem, options: untouchedOptions(fileSystem) });
}

async function readRecord(directory: string): Promise<string | undefined> {
  const bytes = await readPlain(join(directory, mediumPaths.record));
  if (bytes === undefined) return undefined;
  try {
    return recordSchema.parse(JSON.parse(bytes.toString('utf8'))).id;
  } catch {
    return undefined;
  }
}

async function readSettings(directory: string): Promise<SettingsPlace['files']> {
  const files: { name: string; content: Uint8Array }[] = [];
  for (const name of (await readdir(directory).catch(() => [])).filter(isSettingsName).sort()) {
    const content = await readPlain(join(directory, name));
    if (content !== undefined) files.push({ name, content });
  }
  return files;
}

/** What a file begins with; undefined where there is none, or something else of its name: a pipe that nobody writes to would be waited for for ever. */
async function readPlain(path: string): Promise<Buffer | undefined> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const opened = await open(path, flags).catch(() => undefined);
  if (opened === undefined) return undefined;
  await using file = opened;
  if (!(await file.stat()).isFile()) return undefined;
  const { buffer, bytesRead } = await file.read(Buffer.alloc(readLimit), 0, readLimit, 0);
  return buffer.subarray(0, bytesRead);
}
