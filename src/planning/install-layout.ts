import type { InstallOptions } from '../contract/machine.ts';
import { type InstalledLayout, type PartitionSlot, partitionSlotName } from '../machine/installed-layout.ts';
import { type Partition, type PartitionRole, type PartitionTable, partitionPath } from '../machine/partition-table.ts';
import { type DiskUse, usualSlots } from './install-space.ts';
import type { SolvedDisk, SolvedPartition } from './layout-solution.ts';

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

/** Gives a disk that a built-in layout was solved for its names. */
export function planDisk(disk: SolvedDisk, options: InstallOptions, fresh: FreshDisk): PlannedDisk {
  const use = diskUse(options);
  const table: PartitionTable = {
    uuid: fresh.table,
    sectorSize: disk.facts.sectorSize,
    partitions: disk.partitions.map((partition) => namedPartition(partition, fresh)),
  };
  const partition = (role: PartitionRole, slot?: string) => {
    const found = table.partitions.find((candidate) => candidate.role === role && candidate.slot === slot);
    if (found === undefined) throw new RangeError(`the table has no partition ${role} ${slot ?? ''}`);
    return found;
  };
  return {
    table,
    layout: installedLayout(options, use, fresh),
    partition,
    device: (role, slot) => partitionPath(disk.facts.path, partition(role, slot).number),
  };
}

function namedPartition({ number, start, size, role, name = '' }: SolvedPartition, fresh: FreshDisk): Partition {
  const slot = role === 'slot' ? name : undefined;
  const names = {
    'bios-boot': () => fresh.biosBoot,
    esp: () => fresh.esp,
    boot: () => fresh.boot,
    swap: () => fresh.swap,
    root: () => fresh.root,
    host: () => fresh.root,
    slot: () => slotNames(fresh).find((each) => each.name === name)?.names,
  };
  if (role === undefined || !(role in names)) throw new RangeError(`the install makes no partition ${name}`);
  const known = role as keyof typeof names;
  const uuid = names[known]()?.partition;
  if (uuid === undefined) throw new RangeError(`there is no name for the partition ${name}`);
  return { number, role: known, ...(slot === undefined ? {} : { slot }), start, size, uuid };
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
  return slotNames(fresh).slice(0, slots);
}

function slotNames(fresh: FreshDisk): { name: string; names: FreshPartition }[] {
  return fresh.slots.map((names, index) => ({ name: partitionSlotName(index), names }));
}
