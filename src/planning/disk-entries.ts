import type { Layout, LayoutDisk, LayoutPartition } from '../contract/layout.ts';
import type { DiskFacts } from '../contract/machine.ts';

/** One disk of the machine that stands for an entry of the layout. */
export interface DiskEntry {
  name: string;
  entry: LayoutDisk;
  facts: DiskFacts;
  partitions: PartitionEntry[];
}

/** One partition of the layout on one disk. */
export interface PartitionEntry {
  /** `data`, or on the second of several disks `data.2`. */
  name: string;
  entry: LayoutPartition;
}

/** The entries of a layout with the disks that were chosen for them. */
export function diskEntries(layout: Layout, chosen: readonly (readonly DiskFacts[])[]): DiskEntry[] {
  return layout.disks.flatMap((entry, index) => {
    const disks = chosen[index] ?? [];
    const several = !/^[01]?$|^0-1$/.test(entry.count ?? '');
    return disks.map((facts, number) => {
      const named = (name: string) => (several ? `${name}.${number + 1}` : name);
      return {
        name: named(entry.name),
        entry,
        facts,
        partitions: entry.partitions.map((partition) => ({ name: named(partition.name), entry: partition })),
      };
    });
  });
}
