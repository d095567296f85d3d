import type { InstallOptions } from '../contract/machine.ts';
import type { DataMount, InstalledLayout, PartitionSlot, SlotLayout } from '../machine/installed-layout.ts';
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
  /** For what a layout of one's own has besides. */
  data?: readonly FreshPartition[];
  /** UUID of the file system in the image file. */
  image: string;
  /** 8 hexadecimal digits. */
  espVolumeId: string;
}

/** A disk as it will be: its partitions, what is found where, and the devices. */
export interface PlannedDisk {
  table: PartitionTable;
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
export function slotLayoutOf(options: InstallOptions, solution: Pick<LayoutSolution, 'disks'>): SlotLayout {
  if (options.layout !== undefined && options.layout !== 'own') return options.layout;
  const roles = solution.disks.flatMap(({ partitions }) => partitions.map(({ role }) => role));
  return roles.includes('host') ? 'files' : roles.includes('slot') ? 'slots' : 'single';
}

/** Gives a disk that a layout was solved for its names. */
export function planDisk(
  solution: Pick<LayoutSolution, 'disks' | 'mounts'>,
  disk: SolvedDisk,
  options: InstallOptions,
  fresh: FreshDisk,
): PlannedDisk {
  const named = disk.partitions.map((solved, index) => ({ solved, partition: namedPartition(disk, index, fresh) }));
  const table: PartitionTable = {
    ...(disk.table === 'mbr' ? { label: 'mbr' as const } : {}),
    uuid: tableId(disk, fresh),
    sectorSize: disk.facts.sectorSize,
    partitions: named.map(({ partition }) => partition),
  };
  const partition = (role: PartitionRole, slot?: string) => {
    const found = table.partitions.find((candidate) => candidate.role === role && candidate.slot === slot);
    if (found === undefined) throw new RangeError(`the table has no partition ${role} ${slot ?? ''}`);
    return found;
  };
  const data = named.flatMap(({ solved, partition: each }) =>
    each.role === 'data'
      ? [{ solved, device: partitionPath(disk.facts.path, each.number), uuid: dataUuid(disk, solved, fresh) }]
      : [],
  );
  return {
    table,
    data,
    layout: installedLayout(slotLayoutOf(options, solution), disk, dataMounts(solution, data), fresh),
    partition,
    device: (role, slot) => partitionPath(disk.facts.path, partition(role, slot).number),
  };
}

const systemRoles = ['bios-boot', 'esp', 'boot', 'swap', 'root', 'host', 'slot'] as const;

function namedPartition(disk: SolvedDisk, index: number, fresh: FreshDisk): Partition {
  const solved = disk.partitions[index];
  if (solved === undefined) throw new RangeError(`there is no partition ${index}`);
  const { number, start, size, role, name = '', kept } = solved;
  const isMbr = disk.table === 'mbr';
  const uuidOf = (own: string) => (isMbr ? mbrPartitionUuid(tableId(disk, fresh), number) : own);
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
  if (system === undefined)
    return { ...place, role: 'data', name, uuid: uuidOf(dataNames(disk, solved, fresh).partition) };
  if (system === 'slot') {
    const slot = slotNames(disk, fresh).find((each) => each.partition === solved);
    if (slot === undefined) throw new RangeError(`there is no name for the slot ${name}`);
    return { ...place, role: 'slot', slot: slot.name, uuid: uuidOf(slot.names.partition) };
  }
  const names = {
    ...{ 'bios-boot': fresh.biosBoot, esp: fresh.esp, boot: fresh.boot },
    ...{ swap: fresh.swap, root: fresh.root, host: fresh.root },
  };
  return { ...place, role: system, uuid: uuidOf(names[system].partition) };
}

/** Of a table that stays its own; an MBR's new one are the first digits of the UUID. */
function tableId({ facts, table, tableKept }: SolvedDisk, fresh: FreshDisk): string {
  const known = tableKept ? facts.table?.id : undefined;
  return known ?? (table === 'mbr' ? `0x${fresh.table.slice(0, 8)}` : fresh.table);
}

function installedLayout(layout: SlotLayout, disk: SolvedDisk, data: DataMount[], fresh: FreshDisk): InstalledLayout {
  const { uuid } = fresh.root;
  const partUuid = (partition: SolvedPartition | undefined, own: string) =>
    disk.table === 'mbr' && partition !== undefined ? mbrPartitionUuid(tableId(disk, fresh), partition.number) : own;
  const typeOf = (partition: SolvedPartition | undefined) => (partition?.fileSystem?.type ?? 'ext4') as RootFileSystem;
  const withRole = (role: string) => disk.partitions.find((each) => each.role === role);
  const slot = (name: string, names: FreshPartition, partition: SolvedPartition | undefined): PartitionSlot => ({
    name,
    uuid: names.uuid,
    partitionUuid: partUuid(partition, names.partition),
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
      slots: () => slotNames(disk, fresh).map(({ name, names, partition }) => slot(name, names, partition)),
      files: () => [],
    }[layout](),
    ...(data.length === 0 ? {} : { data }),
    ...(layout === 'files'
      ? { host: { uuid, partitionUuid: partUuid(host, fresh.root.partition), fileSystem: typeOf(host) } }
      : {}),
  };
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

function dataUuid(disk: SolvedDisk, solved: SolvedPartition, fresh: FreshDisk): string {
  return solved.kept?.content?.uuid ?? dataNames(disk, solved, fresh).uuid;
}

function dataNames(disk: SolvedDisk, solved: SolvedPartition, { data = [] }: FreshDisk): FreshPartition {
  const names = data[disk.partitions.indexOf(solved)];
  if (names === undefined) throw new RangeError(`there is no name for the partition ${solved.name ?? ''}`);
  return names;
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
