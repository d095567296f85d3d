import type { LayoutFileSystem, LayoutRole } from '../contract/layout.ts';
import type { PartitionFacts } from '../contract/machine.ts';
import { volumeDevice } from '../machine/installed-stack.ts';
import { partitionPath } from '../machine/partition-table.ts';
import type { FreshDisk, FreshPartition } from './install-layout.ts';
import type { LayoutSolution, SolvedDisk, SolvedPartition } from './layout-solution.ts';

/** A device of a solved layout: a partition, or what is made above some; and the names that it gets. */
export interface Carrier {
  /** As the imager finds it. */
  device: string;
  /** By which an installed system finds it, where it is no partition. */
  stacked?: string;
  disk?: SolvedDisk;
  partition?: SolvedPartition;
  role?: LayoutRole;
  /** What is made on it. */
  fileSystem?: LayoutFileSystem;
  /** What is there already and stays. */
  kept?: PartitionFacts;
  /** It is to live through reinstalls. */
  keep: boolean;
  fresh: FreshPartition;
}

export type Stacked = Pick<LayoutSolution, 'disks'> & Partial<Pick<LayoutSolution, 'raids' | 'crypts' | 'groups'>>;

/**
 * All devices of a solution, each with its own names: of the first with a role of firmware or system those that are called so, of `primary` (the
 * disk that the machine starts from) before others.
 */
export function carriersOf(solution: Stacked, primary: SolvedDisk, fresh: FreshDisk): Carrier[] {
  const { disks, raids = [], crypts = [], groups = [] } = solution;
  const bare = [
    ...disks.flatMap((disk) =>
      disk.partitions.map(
        (partition): Bare => ({
          device: partitionPath(disk.facts.path, partition.number),
          ...{ disk, partition, keep: partition.entry?.keep !== undefined },
          ...defined({ role: partition.role, fileSystem: partition.fileSystem, kept: partition.kept }),
        }),
      ),
    ),
    ...[...raids, ...crypts].map((each) => ({ ...above(each), stacked: each.device })),
    ...groups.flatMap(({ name, volumes }) =>
      volumes.map((each) => ({ ...above(each), stacked: volumeDevice(name, each.name) })),
    ),
  ];
  const given = givenNames(
    [...bare].sort((left, right) => rank(left, primary) - rank(right, primary)),
    fresh,
  );
  return bare.map((each, index) => {
    const stays = each.kept !== undefined || each.partition?.extended;
    const names = given.get(each) ?? fresh.data?.[index] ?? (stays ? { partition: '', uuid: '' } : undefined);
    if (names === undefined) throw new RangeError(`there is no name for ${each.device}`);
    return { ...each, fresh: names };
  });
}

type Bare = Omit<Carrier, 'fresh'>;

function above(each: { device: string; role?: LayoutRole; fileSystem?: LayoutFileSystem }): Bare {
  return { device: each.device, keep: false, ...defined({ role: each.role, fileSystem: each.fileSystem }) };
}

function rank({ disk }: Bare, primary: SolvedDisk): number {
  return disk === primary ? 0 : disk === undefined ? 2 : 1;
}

function givenNames(bare: readonly Bare[], fresh: FreshDisk): Map<Bare, FreshPartition> {
  const made = bare.filter(({ kept }) => kept === undefined);
  const given = new Map<Bare, FreshPartition>();
  const roles = {
    ...{ 'bios-boot': fresh.biosBoot, esp: fresh.esp, boot: fresh.boot },
    ...{ swap: fresh.swap, root: fresh.root, host: fresh.root },
  };
  for (const [role, names] of Object.entries(roles)) {
    const first = made.find((each) => each.role === role);
    if (first !== undefined) given.set(first, names);
  }
  const slots = made.filter(({ role }) => role === 'slot');
  for (const [index, slot] of slots.entries()) {
    const names = fresh.slots[index];
    if (names === undefined) throw new RangeError(`there are no names for ${index + 1} slots`);
    given.set(slot, names);
  }
  return given;
}

function defined<Fields extends object>(fields: Fields): { [Key in keyof Fields]?: NonNullable<Fields[Key]> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}
