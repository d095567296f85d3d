import { access } from 'node:fs/promises';
import type { Processes } from './run.ts';

export interface VolumeWish {
  group: string;
  name: string;
  /** Of a volume in a pool: what it pretends to have. */
  bytes: number;
  thinPool?: true;
  pool?: string;
}

const patience = 300_000;
/** The imager's udev has no rules for them: what makes volumes makes their names, too. */
const env = { DM_DISABLE_UDEV: '1', LVM_SUPPRESS_FD_WARNINGS: '1' };

/** Makes a volume group, whatever its devices held. Errors: `process-failed`, `tool-missing`. */
export async function makeGroup(
  processes: Processes,
  { name, physicalVolumes, extent }: { name: string; physicalVolumes: readonly string[]; extent: number },
  signal?: AbortSignal,
): Promise<void> {
  const options = { timeout: patience, env, ...(signal && { signal }) };
  await processes.run('modprobe', ['--all', '--quiet', 'dm_mod', 'dm_thin_pool'], { ...options, accept: [0, 1] });
  await processes.run('lvm', ['pvcreate', '--yes', '--force', '--force', ...physicalVolumes], options);
  await processes.run(
    'lvm',
    ['vgcreate', '--yes', '--physicalextentsize', `${extent}b`, name, ...physicalVolumes],
    options,
  );
}

/** Makes a volume of a group, a thin pool, or a volume in one. Errors: as `makeGroup`. */
export async function makeVolume(processes: Processes, wish: VolumeWish, signal?: AbortSignal): Promise<void> {
  const { group, name, bytes, thinPool, pool } = wish;
  const size = `${bytes}b`;
  const place =
    pool === undefined
      ? [...(thinPool ? ['--type', 'thin-pool'] : []), '--size', size, group]
      : ['--type', 'thin', '--virtualsize', size, '--thinpool', `${group}/${pool}`];
  // A pool holds no file system of its own.
  const wipe = thinPool || pool !== undefined ? [] : ['--wipesignatures', 'y', '--zero', 'y'];
  await processes.run('lvm', ['lvcreate', '--yes', ...wipe, '--name', name, ...place], {
    timeout: patience,
    env,
    ...(signal && { signal }),
  });
}

/** Lets go of the volumes of a group; one that is not there is fine. Errors: `process-failed`. */
export async function stopGroup(processes: Processes, name: string): Promise<void> {
  const is = await access(`/dev/${name}`).then(
    () => true,
    () => false,
  );
  if (is) await processes.run('lvm', ['vgchange', '--activate', 'n', name], { timeout: patience, env });
}
