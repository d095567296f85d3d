import { z } from 'zod';

/** A block device of a golden machine as `lsblk` shows it, with what it lies on. */
export const storageDeviceSchema = z.object({
  /** Kernel or mapper name: `sda1`, `md0`, `vg0-root`. */
  name: z.string(),
  path: z.string(),
  /** `disk`, `part`, `raid1`, `crypt`, `lvm` … */
  type: z.string(),
  size: z.number(),
  /** Names of the devices below. */
  on: z.array(z.string()),
  fileSystem: z.string().optional(),
  /** Of the file system, the superblock or the LUKS header. */
  version: z.string().optional(),
  label: z.string().optional(),
  uuid: z.string().optional(),
  partitionUuid: z.string().optional(),
  partitionName: z.string().optional(),
  mountPoints: z.array(z.string()),
  removable: z.boolean().optional(),
});
export type StorageDevice = z.infer<typeof storageDeviceSchema>;

/** How the storage of a golden machine is put together: what a layout is captured from. */
export const sourceStorageSchema = z.object({
  devices: z.array(storageDeviceSchema),
  /** md arrays, from /sys. */
  arrays: z.array(
    z.object({
      name: z.string(),
      level: z.string(),
      disks: z.number(),
      metadata: z.string(),
      /** Bytes. */
      chunk: z.number().optional(),
      /** As /dev/md has it: `data`. */
      title: z.string().optional(),
      members: z.array(z.object({ device: z.string(), spare: z.boolean() })),
    }),
  ),
  groups: z.array(z.object({ name: z.string(), extent: z.number(), size: z.number(), free: z.number() })),
  volumes: z.array(
    z.object({ group: z.string(), name: z.string(), size: z.number(), kind: z.string(), pool: z.string().optional() }),
  ),
  /** Of /etc/crypttab. */
  crypts: z.array(z.object({ name: z.string(), device: z.string(), key: z.string(), options: z.array(z.string()) })),
  /** Of /etc/fstab: local devices and swap. */
  mounts: z.array(
    z.object({ spec: z.string(), mountPoint: z.string(), type: z.string(), options: z.array(z.string()) }),
  ),
  /** Of /proc/swaps: files only. */
  swapFiles: z.array(z.object({ path: z.string(), size: z.number() })),
  /** Compressed memory as swap, and all the memory there is, in bytes. */
  zram: z.number().optional(),
  memory: z.number().optional(),
});
export type SourceStorage = z.infer<typeof sourceStorageSchema>;
