import type { FstabEntry } from './fstab-entries.ts';

/** What is known of a partition for finding what fstab means. */
export interface NamedPartition {
  number: number;
  fileSystem?: string;
  uuid?: string;
  label?: string;
  partitionUuid?: string;
  name?: string;
}

/** A file system that fstab mounts below the root. */
export interface PlannedMount<Partition> {
  /** Relative to the root. */
  mountPoint: string;
  partition: Partition;
  /** Those of fstab that decide what is seen: `subvol=`, owners and masks of FAT. */
  options: string[];
}

export interface DiskMounts<Partition> {
  /** Those above others first. */
  mounts: PlannedMount<Partition>[];
  /** Lines whose device is not on the disk, or is of a kind that is not read; for people. */
  missing: string[];
  /** Swap files: paths relative to the root. */
  swapFiles: string[];
}

const seenOptions = /^(subvol|subvolid|umask|fmask|dmask|uid|gid|iocharset|codepage|shortname|utf8)(=|$)/;
const notMounted = new Set(['swap', 'LVM2_member', 'crypto_LUKS', 'linux_raid_member']);

/** Which partitions of a disk its own fstab mounts below the root. Pure. */
export function planDiskMounts<Partition extends NamedPartition>(
  fstab: readonly FstabEntry[],
  partitions: readonly Partition[],
): DiskMounts<Partition> {
  const planned: DiskMounts<Partition> = { mounts: [], missing: [], swapFiles: [] };
  for (const entry of fstab) {
    const { device, mountPoint, type, options } = entry;
    if (type === 'swap' && entry.device === undefined && entry.spec.startsWith('/'))
      planned.swapFiles.push(entry.spec.slice(1));
    if (device === undefined || type === 'swap' || !mountPoint.startsWith('/') || mountPoint === '/') continue;
    if (options.includes('noauto')) continue;
    const partition = partitions.find((candidate) => isNamed(candidate, entry));
    if (partition === undefined || partition.fileSystem === undefined || notMounted.has(partition.fileSystem)) {
      planned.missing.push(`${mountPoint} (${entry.spec})`);
      continue;
    }
    planned.mounts.push({
      mountPoint: mountPoint.slice(1),
      partition,
      options: options.filter((option) => seenOptions.test(option)),
    });
  }
  planned.mounts.sort((left, right) => left.mountPoint.length - right.mountPoint.length);
  return planned;
}

function isNamed(partition: NamedPartition, { device }: FstabEntry): boolean {
  if (device === undefined) return false;
  const same = (name: string | undefined) => name !== undefined && name.toLowerCase() === device.value.toLowerCase();
  switch (device.kind) {
    case 'uuid':
      return same(partition.uuid);
    case 'label':
      return partition.label === device.value;
    case 'partition-uuid':
      return same(partition.partitionUuid);
    case 'partition-label':
      return partition.name === device.value;
    case 'path':
      // Which disk it was is not known; of one disk all partitions are its own.
      return (
        Number(/^\/dev\/(?:[svx]v?d[a-z]|hd[a-z]|nvme\d+n\d+p|mmcblk\d+p)(\d+)$/.exec(device.value)?.[1]) ===
        partition.number
      );
  }
}
