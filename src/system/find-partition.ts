import { realpath } from 'node:fs/promises';
import { ImprintError } from '../foundation/errors.ts';
import type { PartitionSlot } from '../machine/installed-layout.ts';
import type { Processes } from './run.ts';

/**
 * The device of the partition with this UUID (of the partition table, not of a file system). Errors: `slot-unfit` where there is none, or where two
 * disks have one each.
 */
export async function findPartition(processes: Processes, partitionUuid: string, name: string): Promise<string> {
  const uuid = partitionUuid.toLowerCase();
  const args = ['--match-token', `PARTUUID=${uuid}`, '--output', 'device', '--cache-file', '/dev/null'];
  const { stdout } = await processes.run('blkid', args, { timeout: 60_000, accept: [0, 2] });
  const found = stdout.split('\n').filter((line) => line.startsWith('/dev/'));
  const [only, another] = found;
  if (only === undefined) {
    const linked = await realpath(`/dev/disk/by-partuuid/${uuid}`).catch(() => undefined);
    if (linked !== undefined) return linked;
    throw new ImprintError('slot-unfit', { slot: name, problem: `there is no partition ${uuid}` });
  }
  if (another === undefined) return only;
  throw new ImprintError('slot-unfit', { slot: name, problem: `${found.join(' and ')} have the same UUID ${uuid}` });
}

/** The device of a slot: its partition, or what it was made on above some. Errors: as `findPartition`. */
export async function findSlotDevice(
  processes: Processes,
  { name, device, partitionUuid }: Pick<PartitionSlot, 'name' | 'device' | 'partitionUuid'>,
): Promise<string> {
  if (device === undefined) return findPartition(processes, partitionUuid, name);
  const found = await realpath(device).catch(() => undefined);
  if (found !== undefined) return device;
  throw new ImprintError('slot-unfit', { slot: name, problem: `there is no ${device}` });
}

/** The device of the file system with this UUID; undefined where there is none, or several. Never the cache: it knows disks that are gone. */
export async function findFileSystem(processes: Processes, uuid: string): Promise<string | undefined> {
  const args = ['-c', '/dev/null', '-o', 'device', '-t', `UUID=${uuid}`];
  const { stdout } = await processes.run('blkid', args, { timeout: 60_000, accept: [0, 2] });
  const [only, another] = stdout.split('\n').filter((line) => line.startsWith('/dev/'));
  return another === undefined ? only : undefined;
}

/** UUID and type of the file system on a device or in a file; undefined where there is none that is known. */
export async function probeFileSystem(
  processes: Processes,
  path: string,
): Promise<{ uuid: string; type: string } | undefined> {
  const args = ['--probe', '--output', 'export', path];
  const { stdout, status } = await processes.run('blkid', args, { timeout: 60_000, accept: [0, 2, 8] });
  const value = (key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(stdout)?.[1];
  const [uuid, type] = [value('UUID'), value('TYPE')];
  return status !== 0 || uuid === undefined || type === undefined ? undefined : { uuid, type };
}
