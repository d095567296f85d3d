import type { Task } from '../../foundation/task.ts';
import type { RootFileSystem } from '../../machine/root-file-system.ts';
import type { SourceVersion } from './built-versions.ts';
import { resolveLiveSource } from './built-versions.ts';
import { VersionDevice, type VersionDeviceWish } from './version-device.ts';

/** A version as a root to start from. What ext4 alone needs counts only there: `time`, `label`, `file`. */
export interface VersionRootWish extends Omit<VersionDeviceWish, 'digest'> {
  /** That the order names: its record, trusted already. */
  version: SourceVersion;
  fileSystem: RootFileSystem;
}

/**
 * The version on a block device: an ext4 of exactly `size` bytes, which is computed here; or the newest xfs or btrfs of no more than that
 * which was made where the store is, with zeros behind it, into which it grows when it is mounted. Each has the UUID that was asked for, from its first
 * byte. What an install needs at least (`rootSpace`) is enough for what is made without a wish for a size.
 *
 * Errors: `live-source-missing` with what makes one, what a guard refuses, those of `VersionDevice.make` and `VersionDevice.open`.
 */
export async function openVersionDevice(wish: VersionRootWish, task: Task): Promise<VersionDevice> {
  const { version, fileSystem, ...rest } = wish;
  if (fileSystem === 'ext4')
    return VersionDevice.make({ ...rest, digest: version.digest as VersionDeviceWish['digest'] }, task);
  const { store, size, uuid, room } = wish;
  const built = await resolveLiveSource(store, version, fileSystem, size);
  return VersionDevice.open({ store, built, size, uuid, room });
}
