import type { DiskFacts, InstallOptions } from '../contract/machine.ts';
import { type InstalledLayout, type PartitionSlot, partitionSlotName } from '../machine/installed-layout.ts';
import {
  layPartitions,
  type Partition,
  type PartitionRole,
  type PartitionTable,
  type PartitionWish,
  partitionPath,
} from '../machine/partition-table.ts';
import { bootSpace, type DiskUse, usualSlots } from './install-space.ts';

/** UUIDs of a partition and of the file system in it. */
export interface FreshPartition {
  partition: string;
  uuid: string;
}

/** Names that the disk gets, made before planning so that planning stays pure; see `freshIdentity`. */
export interface FreshDisk {
  /** UUID of the partition table. */
  table: string;
  biosBoot: FreshPartition;
  esp: FreshPartition;
  boot: FreshPartition;
  swap: FreshPartition;
  /** The root of the layout `single`, or the host partition. */
  root: FreshPartition;
  /** As many as there can be. */
  slots: readonly FreshPartition[];
  /** UUID of the file system in the image file. */
  image: string;
  /** 8 hexadecimal digits. */
  espVolumeId: string;
}

/** A disk as it will be: its partitions, what is found where, and the devices. */
export interface PlannedDisk {
  table: PartitionTable;
  layout: InstalledLayout;
  partition(role: PartitionRole, slot?: string): Partition;
  device(role: PartitionRole, slot?: string): string;
}

/** What the options say of the disk's use, the defaults filled in. */
export function diskUse({ layout, slots, swap }: InstallOptions): DiskUse {
  return { layout: layout ?? 'single', slots: slots ?? usualSlots, swap: swap ?? 0 };
}

/** Lays out a disk. Throws a `RangeError` where it is too small (`diskSpace` says so before). */
export function planDisk(disk: DiskFacts, options: InstallOptions, fresh: FreshDisk): PlannedDisk {
  const use = diskUse(options);
  const table = layPartitions(disk, fresh.table, partitionWishes(disk, use, fresh));
  const partition = (role: PartitionRole, slot?: string) => {
    const found = table.partitions.find((candidate) => candidate.role === role && candidate.slot === slot);
    if (found === undefined) throw new RangeError(`the table has no partition ${role} ${slot ?? ''}`);
    return found;
  };
  return {
    table,
    layout: installedLayout(options, use, fresh),
    partition,
    device: (role, slot) => partitionPath(disk.path, partition(role, slot).number),
  };
}

function partitionWishes(disk: DiskFacts, use: DiskUse, fresh: FreshDisk): PartitionWish[] {
  const space = bootSpace(disk);
  const wish = (role: PartitionRole, size: number | 'rest', { partition }: FreshPartition): PartitionWish => ({
    role,
    size,
    uuid: partition,
  });
  return [
    wish('bios-boot', space.biosBoot, fresh.biosBoot),
    wish('esp', space.esp, fresh.esp),
    wish('boot', space.boot, fresh.boot),
    ...(use.swap > 0 ? [wish('swap', use.swap, fresh.swap)] : []),
    ...{
      single: () => [wish('root', 'rest', fresh.root)],
      slots: () => chosenSlots(use, fresh).map(({ name, names }) => ({ ...wish('slot', 'rest', names), slot: name })),
      files: () => [wish('host', 'rest', fresh.root)],
    }[use.layout](),
  ];
}

function installedLayout(options: InstallOptions, use: DiskUse, fresh: FreshDisk): InstalledLayout {
  const fileSystem = options.fileSystem ?? 'ext4';
  const { uuid, partition: partitionUuid } = fresh.root;
  const slot = (name: string, names: FreshPartition): PartitionSlot => ({
    name,
    uuid: names.uuid,
    partitionUuid: names.partition,
    fileSystem,
  });
  return {
    format: 1,
    layout: use.layout,
    boot: fresh.boot.uuid,
    esp: `${fresh.espVolumeId.slice(0, 4)}-${fresh.espVolumeId.slice(4)}`.toUpperCase(),
    ...(use.swap > 0 ? { swap: fresh.swap.uuid } : {}),
    slots: {
      single: () => [slot('root', fresh.root)],
      slots: () => chosenSlots(use, fresh).map(({ name, names }) => slot(name, names)),
      files: () => [],
    }[use.layout](),
    ...(use.layout === 'files' ? { host: { uuid, partitionUuid, fileSystem } } : {}),
  };
}

function chosenSlots({ slots }: DiskUse, fresh: FreshDisk): { name: string; names: FreshPartition }[] {
  if (slots > fresh.slots.length) throw new RangeError(`there are no names for ${slots} slots`);
  return fresh.slots.slice(0, slots).map((names, index) => ({ name: partitionSlotName(index), names }));
}
