import { mkdtemp, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../foundation/clock.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { frugalNames } from '../../machine/live-menu.ts';
import { isLiveDirectory } from '../../machine/live-start.ts';
import { probeFileSystem } from '../../system/find-partition.ts';
import { findMenuPlace, type MenuPlace } from '../../system/menu-place.ts';
import { mountDevice, unmountTree } from '../../system/mount.ts';
import type { Processes } from '../../system/run.ts';

/** Where a live system lies, or is to lie, while it is worked on. */
export interface OpenFrugalPlace extends AsyncDisposable {
  place: MenuPlace;
}

/**
 * Finds it in a directory, or on a partition, which is mounted for the time where it is not. Errors: `boot-place-unfit`, `process-failed`, `tool-missing`.
 */
export async function openFrugalPlace(processes: Processes, target: string): Promise<OpenFrugalPlace> {
  const isDevice = await stat(target).then(
    (found) => found.isBlockDevice(),
    () => false,
  );
  const mounted = isDevice ? await mountOf(processes, target) : undefined;
  if (!isDevice || mounted !== undefined) {
    const place = await find(processes, mounted ?? target);
    return { place, [Symbol.asyncDispose]: async () => {} };
  }
  const type = (await probeFileSystem(processes, target))?.type;
  if (type === undefined) throw unfit(target, 'it has no file system that is known here');
  const directory = await mkdtemp(join(tmpdir(), 'imprint-frugal-'));
  const release = async () => {
    await unmountTree(processes, directory, systemClock);
    await rm(directory, { recursive: true });
  };
  try {
    // Of btrfs the top, whichever subvolume is mounted otherwise: GRUB starts there.
    const options = type === 'btrfs' ? 'rw,nodev,nosuid,subvolid=5' : 'rw,nodev,nosuid';
    await mountDevice(processes, { device: target, directory, type, options });
    return { place: await find(processes, directory), [Symbol.asyncDispose]: release };
  } catch (error) {
    await release();
    throw error;
  }
}

async function find(processes: Processes, directory: string): Promise<MenuPlace> {
  const place = await findMenuPlace(processes, directory, { name: frugalNames.directory, ofSystem: 'allowed' });
  if (isLiveDirectory(place.path)) return place;
  throw unfit(
    directory,
    `a kernel cannot be told of ${place.path}: letters, digits and “.”, “-”, “_” are what it takes`,
  );
}

async function mountOf(processes: Processes, device: string): Promise<string | undefined> {
  const args = ['--noheadings', '--first-only', '--output', 'TARGET', '--source', await realpath(device)];
  const { stdout, status } = await processes.run('findmnt', args, { timeout: 30_000, accept: [0, 1] });
  return status === 0 ? stdout.trim() : undefined;
}

function unfit(directory: string, problem: string): ImprintError {
  return new ImprintError('boot-place-unfit', { directory, problem });
}
