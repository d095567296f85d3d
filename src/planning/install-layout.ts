import type { LayoutMount } from '../contract/layout.ts';
import type { InstallOptions } from '../contract/machine.ts';
import type {
  DataMount,
  InstalledLayout,
  PartitionSlot,
  SharedMount,
  SlotLayout,
} from '../machine/installed-layout.ts';
import { partitionSlotName } from '../machine/installed-layout.ts';
import {
  mbrPartitionUuid,
  type Partition,
  type PartitionRole,
  type PartitionTable,
  partitionPath,
} from '../machine/partition-table.ts';
import type { RootFileSystem } from '../machine/root-file-system.ts';
import type { LayoutSolution, SolvedDisk, SolvedPartition } from './layout-solution.ts';

/** UUIDs of a partition and of the file system in it. */
export interface FreshPartition {
  partition: string;
  uuid: string;
}

/** Names that the disk gets, made before planning so that planning stays pure; see `freshIdentity`. */
export interface FreshDisk {
  /** UUID of the partition table, and of those of other disks. */
  table: string;
  moreTables?: readonly string[];
  biosBoot: FreshPartition;
  esp: FreshPartition;
  boot: FreshPartition;
  swap: FreshPartition;
  /** The root of the layout `single`, or the host partition. */
  root: FreshPartition;
  /** As many as there can be. */
  slots: readonly FreshPartition[];
  /** For what a layout of one's own has besides. */
  data?: readonly FreshPartition[];
  /** UUID of the file system in the image file. */
  image: string;
  /** 8 hexadecimal digits. */
  espVolumeId: string;
}

/** The disk that the machine starts from as it will be: its partitions, what is found where, and the devices. */
export interface PlannedDisk {
  table: PartitionTable;
  /** Disks for data beside it, with their tables. */
  others: { disk: SolvedDisk; table: PartitionTable }[];
  layout: InstalledLayout;
  /** Partitions beside those of system and firmware, with what is made in them. */
  data: PlannedData[];
  partition(role: PartitionRole, slot?: string): Partition;
  device(role: PartitionRole, slot?: string): string;
}

/** A partition for data. */
export interface PlannedData {
  device: string;
  solved: SolvedPartition;
  uuid: string;
}

/** Which of the three ways to hold systems the options mean by themselves; a layout of one's own says it by its roles. */
function slotLayoutOf(options: InstallOptions, solution: Pick<LayoutSolution, 'disks'>): SlotLayout {
  if (options.layout === 'multi') return 'slots';
  if (options.layout !== undefined && options.layout !== 'own') return options.layout;
  const roles = solution.disks.flatMap(({ partitions }) => partitions.map(({ role }) => role));
  return roles.includes('host') ? 'files' : roles.includes('slot') ? 'slots' : 'single';
}

/** Gives the disks that a layout was solved for their names. `disk`: the one with firmware's partitions and the systems. */
export function planDisk(
  solution: Pick<LayoutSolution, 'disks' | 'mounts'>,
  disk: SolvedDisk,
  options: InstallOptions & { mounts?: readonly LayoutMount[] },
  fresh: FreshDisk,
): PlannedDisk {
  const names = namesOf(solution, disk, fresh);
  const table = plannedTable(disk, names);
  const others = solution.disks
    .filter((each) => each !== disk)
    .map((each) => ({ disk: each, table: plannedTable(each, names) }));
  const partition = (role: PartitionRole, slot?: string) => {
    const found = table.partitions.find((candidate) => candidate.role === role && candidate.slot === slot);
    if (found === undefined) throw new RangeError(`the table has no partition ${role} ${slot ?? ''}`);
    return found;
  };
  const data = [{ disk, table }, ...others].flatMap((each) =>
    each.table.partitions.flatMap(({ role, number }, index) => {
      const solved = each.disk.partitions[index];
      if (role !== 'data' || solved === undefined) return [];
      const uuid = solved.kept?.content?.uuid ?? names.data(solved).uuid;
      return [{ solved, device: partitionPath(each.disk.facts.path, number), uuid }];
    }),
  );
  return {
    table,
    others,
    data,
    layout: installedLayout(
      slotLayoutOf(options, solution),
      disk,
      dataMounts(solution, data),
      options.mounts ?? [],
      names,
    ),
    partition,
    device: (role, slot) => partitionPath(disk.facts.path, partition(role, slot).number),
  };
}

const systemRoles = ['bios-boot', 'esp', 'boot', 'swap', 'root', 'host', 'slot'] as const;

/** The fresh names, given out. */
interface Names {
  fresh: FreshDisk;
  /** UUID of a disk's table, or an MBR's id. */
  table(disk: SolvedDisk): string;
  data(solved: SolvedPartition): FreshPartition;
}

function namesOf({ disks }: Pick<LayoutSolution, 'disks'>, disk: SolvedDisk, fresh: FreshDisk): Names {
  const all = disks.flatMap(({ partitions }) => partitions);
  return {
    fresh,
    table(each) {
      const known = each.tableKept ? each.facts.table?.id : undefined;
      const own = each === disk ? fresh.table : fresh.moreTables?.[disks.indexOf(each)];
      if (own === undefined) throw new RangeError(`there is no name for the table of ${each.facts.path}`);
      // Of an MBR the id has the first digits of a UUID.
      return known ?? (each.table === 'mbr' ? `0x${own.slice(0, 8)}` : own);
    },
    data(solved) {
      const names = fresh.data?.[all.indexOf(solved)];
      if (names === undefined) throw new RangeError(`there is no name for the partition ${solved.name ?? ''}`);
      return names;
    },
  };
}

function plannedTable(disk: SolvedDisk, names: Names): PartitionTable {
  return {
    ...(disk.table === 'mbr' ? { label: 'mbr' as const } : {}),
    uuid: names.table(disk),
    sectorSize: disk.facts.sectorSize,
    partitions: disk.partitions.map((solved) => namedPartition(disk, solved, names)),
  };
}

function namedPartition(disk: SolvedDisk, solved: SolvedPartition, names: Names): Partition {
  const { fresh } = names;
  const { number, start, size, role, name = '', kept } = solved;
  const isMbr = disk.table === 'mbr';
  const uuidOf = (own: string) => (isMbr ? mbrPartitionUuid(names.table(disk), number) : own);
  const place = {
    number,
    start,
    size,
    ...(isMbr ? { type: solved.type } : {}),
    ...(solved.active ? { active: true as const } : {}),
  };
  if (solved.extended)
    return { ...place, role: 'extended', uuid: uuidOf(''), ...(kept === undefined ? {} : { kept: true }) };
  if (kept !== undefined)
    return { ...place, role: 'data', name: name || 'kept', uuid: uuidOf(kept.uuid ?? ''), kept: true };
  const system = systemRoles.find((each) => each === role);
  if (system === undefined) return { ...place, role: 'data', name, uuid: uuidOf(names.data(solved).partition) };
  if (system === 'slot') {
    const slot = slotNames(disk, fresh).find((each) => each.partition === solved);
    if (slot === undefined) throw new RangeError(`there is no name for the slot ${name}`);
    return { ...place, role: 'slot', slot: slot.name, uuid: uuidOf(slot.names.partition) };
  }
  const own = {
    ...{ 'bios-boot': fresh.biosBoot, esp: fresh.esp, boot: fresh.boot },
    ...{ swap: fresh.swap, root: fresh.root, host: fresh.root },
  };
  return { ...place, role: system, uuid: uuidOf(own[system].partition) };
}

function installedLayout(
  layout: SlotLayout,
  disk: SolvedDisk,
  data: DataMount[],
  mounts: readonly LayoutMount[],
  names: Names,
): InstalledLayout {
  const { fresh } = names;
  const { uuid } = fresh.root;
  const partUuid = (partition: SolvedPartition | undefined, own: string) =>
    disk.table === 'mbr' && partition !== undefined ? mbrPartitionUuid(names.table(disk), partition.number) : own;
  const typeOf = (partition: SolvedPartition | undefined) => (partition?.fileSystem?.type ?? 'ext4') as RootFileSystem;
  const withRole = (role: string) => disk.partitions.find((each) => each.role === role);
  const slot = (name: string, own: FreshPartition, partition: SolvedPartition | undefined): PartitionSlot => ({
    name,
    uuid: own.uuid,
    partitionUuid: partUuid(partition, own.partition),
    fileSystem: typeOf(partition),
  });
  const host = withRole('host');
  return {
    format: 1,
    layout,
    boot: fresh.boot.uuid,
    esp: `${fresh.espVolumeId.slice(0, 4)}-${fresh.espVolumeId.slice(4)}`.toUpperCase(),
    ...(withRole('swap') === undefined ? {} : { swap: fresh.swap.uuid }),
    slots: {
      single: () => [slot('root', fresh.root, withRole('root'))],
      slots: () => slotNames(disk, fresh).map((each) => slot(each.name, each.names, each.partition)),
      files: () => [],
    }[layout](),
    ...(data.length === 0 ? {} : { data }),
    ...(mounts.length === 0 ? {} : { shared: mounts.map(sharedMount) }),
    ...(layout === 'files'
      ? { host: { uuid, partitionUuid: partUuid(host, fresh.root.partition), fileSystem: typeOf(host) } }
      : {}),
  };
}

function sharedMount({ source, mount, options }: LayoutMount): SharedMount {
  const type = source.startsWith('/') ? 'bind' : 'nfs';
  return { source, mount, type, ...(options === undefined ? {} : { options }) };
}

/** What else is mounted, those above others first. */
function dataMounts({ mounts }: Pick<LayoutSolution, 'mounts'>, data: readonly PlannedData[]): DataMount[] {
  return mounts.flatMap(({ device, mount, type, options }) => {
    const found = data.find((each) => each.device === device);
    if (found === undefined || mount === 'none') return [];
    const kept = found.solved.entry?.keep === undefined ? {} : { kept: true as const };
    return [{ uuid: found.uuid, mount, type, options, ...kept }];
  });
}

/** Slots are called by their order on the disk, whatever the layout calls them. */
function slotNames(
  disk: SolvedDisk,
  fresh: FreshDisk,
): { name: string; names: FreshPartition; partition: SolvedPartition }[] {
  return disk.partitions
    .filter(({ role }) => role === 'slot')
    .map((partition, index) => {
      const names = fresh.slots[index];
      if (names === undefined) throw new RangeError(`there are no names for ${index + 1} slots`);
      return { name: partitionSlotName(index), names, partition };
    });
}
