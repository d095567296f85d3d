import type { Layout, LayoutMount } from '../contract/layout.ts';
import type { InstallOptions } from '../contract/machine.ts';
import { parseBytes } from '../foundation/bytes.ts';
import type {
  DataMount,
  InstalledLayout,
  PartitionSlot,
  SharedMount,
  SlotLayout,
} from '../machine/installed-layout.ts';
import { partitionSlotName } from '../machine/installed-layout.ts';
import type { InstalledStack } from '../machine/installed-stack.ts';
import {
  mbrPartitionUuid,
  type Partition,
  type PartitionRole,
  type PartitionTable,
} from '../machine/partition-table.ts';
import type { RootFileSystem } from '../machine/root-file-system.ts';
import { type Carrier, carriersOf, type Stacked } from './carriers.ts';
import type { LayoutSolution, SolvedDisk } from './layout-solution.ts';
import { installedStack } from './stack-steps.ts';

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
  /** For what a layout of one's own has besides: one for each of its devices. */
  data?: readonly FreshPartition[];
  /** UUID of the file system in the image file. */
  image: string;
  /** 8 hexadecimal digits. */
  espVolumeId: string;
}

/** The disks of the machine as they will be: their partitions, what is found where, and the devices. */
export interface PlannedDisk {
  /** Of the disk that the machine starts from. */
  table: PartitionTable;
  /** Disks beside it, with their tables. */
  others: { disk: SolvedDisk; table: PartitionTable }[];
  layout: InstalledLayout;
  /** Devices beside those of system and firmware, with what is made on them. */
  data: Carrier[];
  swaps: Carrier[];
  /** Of the layout `single`. */
  root?: Carrier;
  /** What firmware and GRUB read, a disk each, that which the machine starts from first. */
  starts: DiskStart[];
  partition(role: PartitionRole, slot?: string): Partition;
  device(role: PartitionRole, slot?: string): string;
}

/** How one disk starts the machine. */
export interface DiskStart {
  disk: SolvedDisk;
  boot?: { device: string; uuid: string };
  esp?: { device: string; volumeId: string };
  biosBoot?: { device: string; start: number; size: number };
}

/** What of a layout is no device of its own. */
interface Intent {
  mounts?: readonly LayoutMount[];
  /** Swap beside that of partitions and volumes. */
  swapping?: Layout['swap'];
}

type Solved = Stacked & Pick<LayoutSolution, 'mounts'>;

/** Which of the three ways to hold systems the options mean by themselves; a layout of one's own says it by its roles. */
function slotLayoutOf(options: InstallOptions, carriers: readonly Carrier[]): SlotLayout {
  if (options.layout === 'multi') return 'slots';
  if (options.layout !== undefined && options.layout !== 'own') return options.layout;
  const roles = carriers.map(({ role }) => role);
  return roles.includes('host') ? 'files' : roles.includes('slot') ? 'slots' : 'single';
}

/** Gives the disks that a layout was solved for their names. `disk`: the one that the machine starts from. */
export function planDisk(
  solution: Solved,
  disk: SolvedDisk,
  options: InstallOptions & Intent,
  fresh: FreshDisk,
): PlannedDisk {
  const carriers = carriersOf(solution, disk, fresh);
  const names: Names = { fresh, carriers, table: tableNames(solution, disk, fresh) };
  const table = plannedTable(disk, names);
  const others = solution.disks
    .filter((each) => each !== disk)
    .map((each) => ({ disk: each, table: plannedTable(each, names) }));
  const partition = (role: PartitionRole, slot?: string) => {
    const found = table.partitions.find((candidate) => candidate.role === role && candidate.slot === slot);
    if (found === undefined) throw new RangeError(`the table has no partition ${role} ${slot ?? ''}`);
    return found;
  };
  const data = carriers.filter(isData);
  const starts = [disk, ...others.map((each) => each.disk)]
    .map((each) => startOf(each, names))
    .filter(({ boot, esp, biosBoot }) => boot !== undefined || esp !== undefined || biosBoot !== undefined);
  const root = carrierOf('root', undefined, carriers);
  const layout = installedLayout(slotLayoutOf(options, carriers), solution, names, starts, options);
  return {
    ...{ table, others, data, layout, starts, partition },
    ...(root === undefined ? {} : { root }),
    swaps: carriers.filter(({ role, kept }) => role === 'swap' && kept === undefined),
    device: (role, slot) => {
      const found = carrierOf(role, slot, carriers);
      if (found === undefined) throw new RangeError(`there is no device ${role} ${slot ?? ''}`);
      return found.device;
    },
  };
}

const systemRoles = ['bios-boot', 'esp', 'boot', 'swap', 'root', 'host', 'slot'] as const;

/** The fresh names, given out. */
interface Names {
  fresh: FreshDisk;
  carriers: readonly Carrier[];
  /** UUID of a disk's table, or an MBR's id. */
  table(disk: SolvedDisk): string;
}

function isData({ role, kept, partition }: Carrier): boolean {
  if (partition?.extended) return false;
  return kept !== undefined || !systemRoles.some((each) => each === role);
}

/** The one with a role; slots are called by their order, whatever the layout calls them. */
function carrierOf(role: string, slot: string | undefined, carriers: readonly Carrier[]): Carrier | undefined {
  const found = carriers.filter((each) => each.role === role && each.kept === undefined);
  const primary = carriersInOrder(found);
  return slot === undefined ? primary[0] : primary.find((_, index) => partitionSlotName(index) === slot);
}

/** Of the disk that the machine starts from first: it is the first that has a boot partition. */
function carriersInOrder(carriers: readonly Carrier[]): readonly Carrier[] {
  const hasBoot = ({ disk }: Carrier) => disk?.partitions.some(({ role }) => role === 'boot') === true;
  const first = carriers.find(hasBoot)?.disk;
  return [...carriers.filter(({ disk }) => disk === first), ...carriers.filter(({ disk }) => disk !== first)];
}

function startOf(disk: SolvedDisk, { carriers, fresh }: Names): DiskStart {
  const own = (role: string) =>
    carriers.find((each) => each.disk === disk && each.role === role && each.kept === undefined);
  const [boot, esp, bios] = [own('boot'), own('esp'), own('bios-boot')];
  const volumeId = esp?.fresh === fresh.esp ? fresh.espVolumeId : (esp?.fresh.uuid ?? '').slice(0, 8);
  return {
    disk,
    ...(boot === undefined ? {} : { boot: { device: boot.device, uuid: boot.fresh.uuid } }),
    ...(esp === undefined ? {} : { esp: { device: esp.device, volumeId } }),
    ...(bios?.partition === undefined
      ? {}
      : { biosBoot: { device: bios.device, start: bios.partition.start, size: bios.partition.size } }),
  };
}

function tableNames({ disks }: Pick<LayoutSolution, 'disks'>, disk: SolvedDisk, fresh: FreshDisk): Names['table'] {
  return (each) => {
    const known = each.tableKept ? each.facts.table?.id : undefined;
    const own = each === disk ? fresh.table : fresh.moreTables?.[disks.indexOf(each)];
    if (own === undefined) throw new RangeError(`there is no name for the table of ${each.facts.path}`);
    // Of an MBR the id has the first digits of a UUID.
    return known ?? (each.table === 'mbr' ? `0x${own.slice(0, 8)}` : own);
  };
}

function plannedTable(disk: SolvedDisk, names: Names): PartitionTable {
  return {
    ...(disk.table === 'mbr' ? { label: 'mbr' as const } : {}),
    uuid: names.table(disk),
    sectorSize: disk.facts.sectorSize,
    partitions: names.carriers.filter((each) => each.disk === disk).map((each) => namedPartition(disk, each, names)),
  };
}

function namedPartition(disk: SolvedDisk, carrier: Carrier, names: Names): Partition {
  const { partition: solved, fresh } = carrier;
  if (solved === undefined) throw new RangeError(`${carrier.device} is no partition`);
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
  const uuid = uuidOf(fresh.partition);
  if (system === undefined) return { ...place, ...ofStack(solved.type), role: 'data', name, uuid };
  if (system !== 'slot') return { ...place, role: system, uuid };
  const slot = slotCarriers(names.carriers).find(([, each]) => each === carrier)?.[0];
  if (slot === undefined) throw new RangeError(`there is no name for the slot ${name}`);
  return { ...place, role: 'slot', slot, uuid };
}

const linuxData = '0FC63DAF-8483-4772-8E79-3D69D8477DE4';

/** The type of a member, where it has one of its own. */
function ofStack(type: string): { type?: string } {
  return type.length > 4 && type !== linuxData ? { type } : {};
}

function installedLayout(
  layout: SlotLayout,
  solution: Solved,
  names: Names,
  starts: readonly DiskStart[],
  intent: Intent,
): InstalledLayout {
  const { mounts = [] } = intent;
  const { fresh, carriers } = names;
  const typeOf = (carrier: Carrier) => (carrier.fileSystem?.type ?? 'ext4') as RootFileSystem;
  const partitionUuid = ({ disk, partition, fresh: own }: Carrier) =>
    disk === undefined || partition === undefined
      ? ''
      : disk.table === 'mbr'
        ? mbrPartitionUuid(names.table(disk), partition.number)
        : own.partition;
  const place = (carrier: Carrier) => ({
    uuid: carrier.fresh.uuid,
    partitionUuid: partitionUuid(carrier),
    fileSystem: typeOf(carrier),
  });
  const slot = (name: string, carrier: Carrier): PartitionSlot => ({
    name,
    ...place(carrier),
    ...(carrier.stacked === undefined ? {} : { device: carrier.stacked }),
    ...rootSubvolume(carrier),
  });
  const withRole = (role: string) => carrierOf(role, undefined, carriers);
  const [root, host] = [withRole('root'), withRole('host')];
  const swaps = carriers.filter(({ role, kept }) => role === 'swap' && kept === undefined);
  // A kernel wakes up from what it finds by itself.
  const swap = swaps.find(({ stacked }) => stacked === undefined);
  const moreSwap = swaps.filter((each) => each !== swap).map((each) => each.fresh.uuid);
  const data = dataMounts(solution, root === undefined ? carriers.filter(isData) : [...carriers.filter(isData), root]);
  const boots = starts.flatMap(({ boot }) => (boot === undefined ? [] : [boot.uuid]));
  const stack: InstalledStack | undefined = installedStack(solution, carriers);
  return {
    format: 1,
    layout,
    boot: fresh.boot.uuid,
    esp: `${fresh.espVolumeId.slice(0, 4)}-${fresh.espVolumeId.slice(4)}`.toUpperCase(),
    ...(swap === undefined ? {} : { swap: swap.fresh.uuid }),
    ...(moreSwap.length === 0 ? {} : { moreSwap }),
    slots: {
      single: () => (root === undefined ? [] : [slot('root', root)]),
      slots: () => slotCarriers(carriers).map(([name, each]) => slot(name, each)),
      files: () => [],
    }[layout](),
    ...(data.length === 0 ? {} : { data }),
    ...swapOf(intent.swapping),
    ...(mounts.length === 0 ? {} : { shared: mounts.map(sharedMount) }),
    ...(stack === undefined ? {} : { stack }),
    ...(boots.length > 1 ? { boots } : {}),
    ...(layout === 'files' && host !== undefined ? { host: place(host) } : {}),
  };
}

function sharedMount({ source, mount, options }: LayoutMount): SharedMount {
  const type = source.startsWith('/') ? 'bind' : 'nfs';
  return { source, mount, type, ...(options === undefined ? {} : { options }) };
}

/** Files, and compressed memory. */
function swapOf(swapping: Layout['swap'] = []): Pick<InstalledLayout, 'swapFiles' | 'zram'> {
  const files = swapping.flatMap(({ file }) => (file === undefined ? [] : [file]));
  const zram = swapping.flatMap(({ file, size }) => (file === undefined ? [swapSize(size)] : []));
  return { ...(files.length === 0 ? {} : { swapFiles: files }), ...(zram.length === 0 ? {} : { zram }) };
}

/** Bytes, or a share of the memory. */
function swapSize(size: string): string {
  return size.endsWith('%') ? size : String(parseBytes(size));
}

/** Of a btrfs the subvolume that is the root. */
function rootSubvolume({ fileSystem }: Carrier): { subvolume?: string } {
  const found = fileSystem?.subvolumes.find(({ mount }) => mount === '/');
  return found === undefined ? {} : { subvolume: found.name };
}

/** Mount options with those that name the subvolume. */
export function withSubvolume(options: string, subvolume: string | undefined): string {
  if (subvolume === undefined) return options;
  const named = `subvol=${subvolume}`;
  return options === 'defaults' ? named : `${options},${named}`;
}

/** What else is mounted, those above others first. */
function dataMounts({ mounts }: Pick<LayoutSolution, 'mounts'>, data: readonly Carrier[]): DataMount[] {
  return mounts.flatMap(({ device, mount, type, options, subvolume }) => {
    const found = data.find((each) => each.device === device);
    if (found === undefined || mount === 'none' || mount === '/') return [];
    const uuid = found.kept?.content?.uuid ?? found.fresh.uuid;
    return [
      { uuid, mount, type, options: withSubvolume(options, subvolume), ...(found.keep ? { kept: true as const } : {}) },
    ];
  });
}

function slotCarriers(carriers: readonly Carrier[]): [name: string, carrier: Carrier][] {
  const slots = carriersInOrder(carriers.filter(({ role, kept }) => role === 'slot' && kept === undefined));
  return slots.map((carrier, index) => [partitionSlotName(index), carrier]);
}
