import type { Task } from '../../foundation/task.ts';
import type { RootFileSystem } from '../../machine/root-file-system.ts';
import type { SourceVersion } from './live-sources.ts';
import { resolveLiveSource } from './live-sources.ts';
import { VersionDevice, type VersionDeviceWish } from './version-device.ts';

/** A version as a root to start from. What ext4 alone needs counts only there: `time`, `label`, `file`. */
export interface VersionRootWish extends Omit<VersionDeviceWish, 'digest'> {
  /** That the order names: its record, trusted already. */
  version: SourceVersion;
  fileSystem: RootFileSystem;
}

/**
 * The version on a block device: an ext4 of exactly `size` bytes, which is computed here; or the xfs or btrfs that was made where the store is, of at
 * most `size` bytes (`device.size`), which grows when it is mounted. Each has the UUID that was asked for, from its first byte.
 *
 * Errors: `live-source-missing` with what makes one, what a guard refuses, those of `VersionDevice.make` and `VersionDevice.open`; a `RangeError`
 * where `size` is too small.
 */
export async function openVersionDevice(wish: VersionRootWish, task: Task): Promise<VersionDevice> {
  const { version, fileSystem, ...rest } = wish;
  if (fileSystem === 'ext4')
    return VersionDevice.make({ ...rest, digest: version.digest as VersionDeviceWish['digest'] }, task);
  const { store, size, uuid, room } = wish;
  const built = await resolveLiveSource(store, version, fileSystem);
  const { live, image, number } = built.record;
  if (live.size > size) throw new RangeError(`${image}:${number} has ${live.size} bytes, and there are only ${size}`);
  return VersionDevice.open({ store, built, uuid, room });
}
