import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBytes } from '../../foundation/bytes.ts';
import { hostMounts, hostPaths } from '../../machine/installed-layout.ts';
import { forgetting } from '../../machine/trial.ts';
import { ifThere } from '../../store/directory-files.ts';
import { removeUnreferencedImages, sharedReserve } from './fill-file-slot.ts';
import { imageOf, showOnHost } from './settle-boot.ts';
import { openBoot, type ThisMachine, viewMachine } from './this-machine.ts';
import { lockUpdate } from './update-lock.ts';

/** Below this the way back is given up for the system that runs. */
export const sharedLeast = 96 << 20;

/** How a host partition is off for room, in bytes. */
export interface HostRoom {
  free: number;
  /** What should stay free. */
  wanted: number;
}

/** Magic numbers (statfs(2)) of file systems on which an image begins as a clone of another. */
const sharing: ReadonlySet<number> = new Set([0x58465342, 0x9123683e]);

/** Undefined where a full host partition harms no root: there is none, or image files on it share no blocks (ext4). Cheap. */
export async function readHostRoom(root: string): Promise<HostRoom | undefined> {
  const images = await ifThere(statfs(join(root, hostMounts.host, hostPaths.images)));
  if (images === undefined || !sharing.has(images.type)) return undefined;
  return { free: images.bavail * images.bsize, wanted: sharedReserve };
}

/**
 * Where the host partition is about to be full: image files that do not run go, with their entries of the boot menu, and with them the way back to the
 * version before. What they shared with the one that runs is its own then. Power may be cut at any moment. Returns what was done, in words; undefined:
 * nothing. `find`: the machine, asked for only then. Errors: `update-running`, those of the boot partition.
 */
export async function relieveHost(root: string, find: () => Promise<ThisMachine>): Promise<string | undefined> {
  const room = await readHostRoom(root);
  if (room === undefined || room.free >= sharedLeast) return undefined;
  const machine = await find();
  await using _lock = await lockUpdate('room is made on the host partition');
  await using boot = await openBoot(machine);
  const { pointer, entries, running, situation } = await viewMachine(machine, boot);
  // Whatever else is on its way needs more than one image, and ends by itself.
  if (situation.kind !== 'settled' || running === undefined) return undefined;
  const own = imageOf(entries, running.id);
  const going = entries.filter(({ id }) => imageOf(entries, id) !== own);
  const ids = going.map(({ id }) => id);
  if (ids.length > 0)
    await boot.writePointer(forgetting(pointer, ids) ?? { ...pointer, sequence: pointer.sequence + 1 });
  for (const id of ids) await boot.removeEntry(id);
  const host = join(machine.root, hostMounts.host);
  const gone = await removeUnreferencedImages(machine.processes, host, own === undefined ? [] : [own]);
  if (ids.length === 0 && gone.length === 0) return undefined;
  await showOnHost(machine, await viewMachine(machine, boot));
  const names = going.map(({ reference }) => reference).join(', ') || gone.join(', ');
  return `/${hostMounts.host} had only ${formatBytes(room.free)} left, and the running root shares blocks with other images: ${names} was removed, there is no way back to it`;
}
