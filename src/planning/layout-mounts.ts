import type { Layout, LayoutFileSystem, LayoutRole } from '../contract/layout.ts';
import { fileSystemOf } from '../machine/layout-devices.ts';
import { partitionPath } from '../machine/partition-table.ts';
import type { SolvedDisk, SolvedMount } from './layout-solution.ts';
import type { SolvedStack } from './solve-stack.ts';

interface Carrier {
  device: string;
  role?: LayoutRole | undefined;
  fileSystem?: LayoutFileSystem | undefined;
  kept: boolean;
}

/** What the system mounts: those above others first, swap last. Of copies of a partition only the first is mounted. */
export function solvedMounts(
  layout: Layout,
  disks: readonly SolvedDisk[],
  stack: Omit<SolvedStack, 'notes'>,
): SolvedMount[] {
  const carriers: Carrier[] = [
    ...disks.flatMap(({ facts, partitions }) =>
      partitions.flatMap(({ entry, kept, number, role }) =>
        entry === undefined
          ? []
          : [
              {
                device: partitionPath(facts.path, number),
                role,
                fileSystem: entry.fileSystem,
                kept: kept !== undefined,
              },
            ],
      ),
    ),
    ...stack.raids.map(({ device, role, fileSystem }) => ({ device, role, fileSystem, kept: false })),
    ...stack.crypts.map(({ device, role, fileSystem }) => ({ device, role, fileSystem, kept: false })),
    ...stack.groups.flatMap(({ volumes }) =>
      volumes.map(({ device, role, fileSystem }) => ({ device, role, fileSystem, kept: false })),
    ),
  ];
  const seen = new Set<string>();
  const mounts = carriers.flatMap(mountsOf).filter(({ mount }) => {
    if (mount === 'none') return true;
    const first = !seen.has(mount);
    seen.add(mount);
    return first;
  });
  const files = layout.swap.flatMap(({ file }) =>
    file === undefined ? [] : [{ device: file, mount: 'none', type: 'swap', options: 'sw', kept: false }],
  );
  const depth = ({ mount }: SolvedMount) => (mount === '/' ? 0 : mount === 'none' ? 1000 : mount.split('/').length);
  return [...mounts, ...files].sort(
    (left, right) => depth(left) - depth(right) || (left.mount < right.mount ? -1 : left.mount > right.mount ? 1 : 0),
  );
}

function mountsOf(carrier: Carrier): SolvedMount[] {
  const { device, role, kept } = carrier;
  if (role === 'swap') return [{ device, mount: 'none', type: 'swap', options: 'sw', kept }];
  if (role === 'bios-boot' || (role === 'foreign' && carrier.fileSystem === undefined)) return [];
  const made = fileSystemOf(carrier);
  if (made === undefined) return [];
  const { type, mount, subvolumes } = made;
  const options = made.options ?? (role === 'esp' ? 'umask=0077,nofail' : 'defaults');
  return [
    ...(mount === undefined ? [] : [{ device, mount, type, options, kept }]),
    ...subvolumes.flatMap((each) =>
      each.mount === undefined
        ? []
        : [{ device, mount: each.mount, type, options: each.options ?? options, subvolume: each.name, kept }],
    ),
  ];
}
