import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../foundation/clock.ts';
import { mountDevice, unmountTree } from './mount.ts';
import type { Processes } from './run.ts';

/**
 * Makes subvolumes of a btrfs, by their paths below its top; one inside another comes after it. `mountAt`: where its top is mounted meanwhile. Errors: `process-failed`,
 * `tool-missing`, `io-failed`.
 */
export async function makeSubvolumes(
  processes: Processes,
  clock: Clock,
  { device, subvolumes, mountAt }: { device: string; subvolumes: readonly string[]; mountAt: string },
  signal?: AbortSignal,
): Promise<void> {
  const options = { timeout: 120_000, ...(signal && { signal }) };
  await unmountTree(processes, mountAt, clock);
  await mountDevice(processes, { device, directory: mountAt, type: 'btrfs', options: 'noatime,subvolid=5' }, signal);
  try {
    for (const name of subvolumes.toSorted((left, right) => depth(left) - depth(right))) {
      const path = join(mountAt, name);
      await mkdir(dirname(path), { recursive: true });
      await processes.run('btrfs', ['subvolume', 'create', path], options);
    }
  } finally {
    await unmountTree(processes, mountAt, clock);
  }
}

function depth(name: string): number {
  return name.split('/').length;
}
