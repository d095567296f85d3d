import type { Layout } from '../contract/layout.ts';
import { parseDiskRule } from './disk-rule.ts';
import { contentProblems } from './layout-content-problems.ts';
import { deviceUses, type LayoutDevice, layoutDevices } from './layout-devices.ts';
import { parseDiskCount, parseErase } from './layout-terms.ts';
import { didYouMean } from './nearest-word.ts';
import type { YamlPath } from './yaml-text.ts';

/** What is wrong with a layout that is well formed, and where. */
export interface LayoutProblem {
  path: YamlPath;
  problem: string;
}

/**
 * Everything that can be known to be wrong with a layout before a machine is seen: names that are said twice or not at all, parts used
 * twice, roles that cannot be, sizes that contradict each other.
 */
export function layoutProblems(layout: Layout): LayoutProblem[] {
  const devices = layoutDevices(layout);
  return [
    ...nameProblems(layout, devices),
    ...diskProblems(layout),
    ...useProblems(layout, devices),
    ...raidProblems(layout, devices),
    ...volumeProblems(layout),
    ...sizeProblems(layout),
    ...contentProblems(layout, devices),
  ];
}

function nameProblems(layout: Layout, devices: readonly LayoutDevice[]): LayoutProblem[] {
  const names = [
    ...layout.disks.map(({ name }, index) => ({ name, path: ['disks', index, 'name'] })),
    ...layout.volumeGroups.map(({ name }, index) => ({ name, path: ['volumeGroups', index, 'name'] })),
    ...devices.map(({ ref, path }) => ({ name: ref, path: [...path, 'name'] })),
  ];
  const seen = new Set<string>();
  return names.flatMap(({ name, path }) => {
    if (!seen.has(name)) {
      seen.add(name);
      return [];
    }
    return [
      {
        path,
        problem: `the name ${name} stands here twice; each disk, partition, RAID, encrypted device and group needs its own`,
      },
    ];
  });
}

function diskProblems({ disks }: Layout): LayoutProblem[] {
  if (disks.length === 0) return [{ path: ['disks'], problem: 'a layout needs a disk' }];
  return disks.flatMap(({ match, count, erase }, index) => [
    ...rangeProblem(['disks', index, 'match'], () => parseDiskRule(match ?? 'only')),
    ...rangeProblem(['disks', index, 'count'], () => parseDiskCount(count)),
    ...rangeProblem(['disks', index, 'erase'], () => parseErase(erase)),
  ]);
}

function rangeProblem(path: YamlPath, parse: () => unknown): LayoutProblem[] {
  try {
    parse();
    return [];
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return [{ path, problem: error.message }];
  }
}

function useProblems(layout: Layout, devices: readonly LayoutDevice[]): LayoutProblem[] {
  const problems: LayoutProblem[] = [];
  const uses = deviceUses(layout);
  const users = new Map<string, string>();
  for (const { ref, by, path } of uses) {
    const device = devices.find((each) => each.ref === ref);
    if (device === undefined) {
      const meant = didYouMean(
        ref,
        devices.map((each) => each.ref),
      );
      problems.push({ path, problem: `there is nothing called ${ref} here${meant}` });
      continue;
    }
    const earlier = users.get(ref);
    if (earlier !== undefined) problems.push({ path, problem: `${ref} is already part of ${earlier}` });
    else if (device.role !== undefined || device.fileSystem !== undefined) {
      const has = device.role === undefined ? 'a file system' : `the role ${device.role}`;
      problems.push({ path, problem: `${ref} has ${has} of its own, and cannot be part of ${by}, too` });
    }
    users.set(ref, by);
  }
  for (const device of devices) {
    if (reaches(device.ref, device.ref, uses)) {
      problems.push({ path: device.path, problem: `${device.ref} would lie on itself` });
      break;
    }
  }
  return problems;
}

function reaches(from: string, to: string, uses: ReturnType<typeof deviceUses>, seen = new Set<string>()): boolean {
  if (seen.has(from)) return false;
  seen.add(from);
  const makes = uses.filter(({ ref }) => ref === from).flatMap((use) => use.makes);
  return makes.includes(to) || makes.some((next) => reaches(next, to, uses, seen));
}

/** Members that each level cannot do without. */
export const leastMembers = { 0: 2, 1: 2, 5: 3, 6: 4, 10: 4 } as const;

function raidProblems({ raids }: Layout, devices: readonly LayoutDevice[]): LayoutProblem[] {
  return raids.flatMap(({ name, level, members }, index) => {
    const most = members.reduce((sum, ref) => {
      const device = devices.find((each) => each.ref === ref);
      if (device === undefined) return sum + leastMembers[level];
      if (device.kind !== 'partition') return sum + 1;
      return sum + safely(() => parseDiskCount(device.disk.count).most);
    }, 0);
    if (most >= leastMembers[level]) return [];
    const problem = `RAID ${level} needs ${leastMembers[level]} members, and ${name} has ${most}`;
    return [{ path: ['raids', index, 'members'], problem }];
  });
}

function safely(count: () => number): number {
  try {
    return count();
  } catch {
    return 64;
  }
}

function volumeProblems({ volumeGroups }: Layout): LayoutProblem[] {
  return volumeGroups.flatMap(({ name, physicalVolumes, volumes }, index) => {
    const path = ['volumeGroups', index];
    const problems: LayoutProblem[] = [];
    if (physicalVolumes.length === 0) {
      problems.push({ path: [...path, 'physicalVolumes'], problem: `the volume group ${name} lies on nothing` });
    }
    volumes.forEach((volume, number) => {
      const at = [...path, 'volumes', number];
      const say = (key: string, problem: string) => problems.push({ path: [...at, key], problem });
      if (volume.thinPool && (volume.fileSystem ?? volume.role) !== undefined)
        say('thinPool', `${volume.name} is a pool: file systems lie on the volumes that take from it`);
      if (volume.pool === undefined) return;
      const pool = volumes.find((each) => each.name === volume.pool);
      if (pool?.thinPool !== true) {
        const pools = volumes.filter(({ thinPool }) => thinPool).map((each) => each.name);
        say('pool', `the group ${name} has no thin pool ${volume.pool}${didYouMean(volume.pool, pools)}`);
      }
      if (volume.size === undefined)
        say('name', `the thin volume ${volume.name} needs a size, which it shows to its file system`);
    });
    return problems;
  });
}

function sizeProblems(layout: Layout): LayoutProblem[] {
  const sized = [
    ...layout.disks.flatMap(({ partitions }, index) =>
      partitions.map((each, number) => ({ each, path: ['disks', index, 'partitions', number] })),
    ),
    ...layout.volumeGroups.flatMap(({ volumes }, index) =>
      volumes.map((each, number) => ({ each, path: ['volumeGroups', index, 'volumes', number] })),
    ),
  ];
  return sized.flatMap(({ each, path }) => {
    const { size, min, max } = each;
    if (size !== undefined && (min ?? max ?? each.weight) !== undefined) {
      return [
        { path: [...path, 'size'], problem: `${each.name} has a size; min, max and weight are for what may grow` },
      ];
    }
    if (size === 0) return [{ path: [...path, 'size'], problem: `${each.name} would have no size` }];
    if (min !== undefined && max !== undefined && min > max)
      return [{ path: [...path, 'min'], problem: `${each.name} has a min above its max` }];
    return [];
  });
}
