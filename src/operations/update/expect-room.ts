import { readdir, stat, statfs } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { formatBytes } from '../../foundation/bytes.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { hostMounts, hostPaths, imagePath } from '../../machine/installed-layout.ts';
import { entriesThatStay } from '../../planning/choose-slot.ts';
import { type Content, rootSpace } from '../../planning/install-space.ts';
import { findSlotDevice } from '../../system/find-partition.ts';
import { hostReserve, sharedReserve } from './fill-file-slot.ts';
import { requirePartitionRoom } from './fill-partition-slot.ts';
import { imageOf } from './settle-boot.ts';
import type { UpdateWork } from './update-work.ts';

/** What of an update the room depends on: of the version only its size. */
export interface SlotWork extends Pick<UpdateWork, 'machine' | 'view' | 'digest'> {
  readonly source: { readonly version: { readonly record: { readonly stats: Content } } };
}

/**
 * Refuses a version that has no room in the slot, before anything of it is fetched and before the menu forgets what lies there. A file slot on xfs and btrfs
 * begins as a clone, whose need is only known once the versions were compared: it is refused then, by `fillFileSlot`, and here where the reserve is not there. Errors: `slot-unfit`.
 */
export async function expectSlotRoom(work: SlotWork, slot: string): Promise<void> {
  const { machine, view, source } = work;
  const { layout } = view;
  if (layout.host !== undefined) return expectHostRoom(work, layout.host.fileSystem);
  const place = layout.slots.find(({ name }) => name === slot);
  if (place === undefined) return;
  const device = await findSlotDevice(machine.processes, place);
  await requirePartitionRoom(source.version.record.stats, slot, device);
}

async function expectHostRoom({ machine, view, source, digest }: SlotWork, fileSystem: string): Promise<void> {
  const { pointer, entries, running } = view;
  const shared = fileSystem !== 'ext4' && running !== undefined;
  const host = join(machine.root, hostMounts.host);
  const staying = entriesThatStay({ pointer, entries, running: running?.id }, digest);
  const kept = staying.map((id) => imageOf(entries, id));
  const { bavail, bsize } = await statfs(host);
  const free = bavail * bsize + (await bytesOfOthers(join(host, hostPaths.images), kept));
  const needed = shared ? sharedReserve : rootSpace(source.version.record.stats) + hostReserve;
  if (free >= needed) return;
  throw new ImprintError('slot-unfit', {
    slot: imagePath(digest),
    problem: `${host} has ${formatBytes(free)} free, and ${formatBytes(needed)} are needed`,
  });
}

/** Bytes of image files that go before the slot is filled. */
async function bytesOfOthers(directory: string, kept: readonly (string | undefined)[]): Promise<number> {
  const names = await readdir(directory).catch((): string[] => []);
  const stay = new Set(kept.map((path) => path && basename(path)));
  let bytes = 0;
  for (const name of names) {
    if (stay.has(name) || !name.endsWith('.img')) continue;
    bytes += ((await stat(join(directory, name)).catch(() => undefined))?.blocks ?? 0) * 512;
  }
  return bytes;
}
