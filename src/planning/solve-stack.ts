import type { Layout, LayoutFileSystem, LayoutRole } from '../contract/layout.ts';
import { formatBytes } from '../foundation/bytes.ts';
import { ImprintError } from '../foundation/errors.ts';
import { fileSystemOf } from '../machine/layout-devices.ts';
import { leastMembers } from '../machine/layout-problems.ts';
import { partitionPath } from '../machine/partition-table.ts';
import {
  contentMembers,
  cryptOverhead,
  memberOverhead,
  poolOverhead,
  usualExtent,
  wholeUnits,
} from './layout-least.ts';
import type {
  LayoutQuestion,
  SolvedCrypt,
  SolvedDisk,
  SolvedGroup,
  SolvedRaid,
  SolvedVolume,
} from './layout-solution.ts';
import { shareSpace } from './share-space.ts';

const mebibyte = 1024 ** 2;

/** Arrays, encrypted devices and volume groups, from the partitions upward. */
export interface SolvedStack {
  raids: SolvedRaid[];
  crypts: SolvedCrypt[];
  groups: SolvedGroup[];
  notes: string[];
}

interface Device {
  path: string;
  size: number;
}

/**
 * Sizes of everything above partitions. Throws `layout-unsolvable` where what is there does not suffice.
 *
 * @param least bytes that a device must have, by its name in the layout
 */
export function solveStack(
  question: LayoutQuestion,
  disks: readonly SolvedDisk[],
  least: (ref: string) => number,
): SolvedStack {
  const { layout, machine } = question;
  const stack: SolvedStack = { raids: [], crypts: [], groups: [], notes: [] };
  const devices = new Map<string, Device[]>(partitionDevices(disks));
  const unsolvable = (problem: string, hint: string) =>
    new ImprintError('layout-unsolvable', { machine, problem, hint });
  const settle = (ref: string): Device[] => {
    const known = devices.get(ref);
    if (known !== undefined) return known;
    const made = make(ref);
    devices.set(ref, made);
    return made;
  };
  const make = (ref: string): Device[] => {
    const raid = layout.raids.find(({ name }) => name === ref);
    if (raid !== undefined) {
      const solved = solveRaid(
        raid,
        raid.members.flatMap(settle),
        raid.spares.flatMap(settle),
        wantedMembers(layout, raid.members),
      );
      if (typeof solved === 'string') throw unsolvable(solved, 'Add a disk, or choose another level in the layout.');
      if (solved.missing > 0)
        stack.notes.push(
          `the RAID ${ref} is made with ${solved.members.length} of ${solved.members.length + solved.missing} members: the others can be added later`,
        );
      stack.raids.push(solved);
      return [{ path: solved.device, size: solved.size }];
    }
    const crypt = layout.crypts.find(({ name }) => name === ref);
    const [below] = crypt === undefined ? [] : settle(crypt.device);
    if (crypt !== undefined && below !== undefined) {
      const size = below.size - cryptOverhead(crypt.version);
      stack.crypts.push({
        name: ref,
        device: `/dev/mapper/${ref}`,
        on: below.path,
        unlock: crypt.unlock ?? 'passphrase',
        ...(crypt.version === undefined ? {} : { version: crypt.version }),
        ...(crypt.keyFile === undefined ? {} : { keyFile: crypt.keyFile }),
        size,
        ...contents(crypt),
      });
      return [{ path: `/dev/mapper/${ref}`, size }];
    }
    const [groupName = ''] = ref.split('/');
    const group = layout.volumeGroups.find(({ name }) => name === groupName);
    if (group === undefined) return [];
    if (!stack.groups.some(({ name }) => name === groupName)) {
      const solved = solveGroup(group, group.physicalVolumes.flatMap(settle), least);
      if (typeof solved === 'string')
        throw unsolvable(solved, 'Give the group more room in the layout, or lower the min of its volumes.');
      stack.groups.push(solved);
    }
    const volume = stack.groups
      .find(({ name }) => name === groupName)
      ?.volumes.find(({ device }) => device === `/dev/${ref}`);
    return volume === undefined ? [] : [{ path: volume.device, size: volume.size }];
  };
  for (const { name } of layout.raids) settle(name);
  for (const { name } of layout.crypts) settle(name);
  for (const { name, volumes } of layout.volumeGroups) for (const volume of volumes) settle(`${name}/${volume.name}`);
  return stack;
}

/** By the names of the layout; one name may stand for several partitions. */
function partitionDevices(disks: readonly SolvedDisk[]): Map<string, Device[]> {
  const devices = new Map<string, Device[]>();
  for (const { facts, partitions } of disks) {
    for (const { entry, number, size } of partitions) {
      if (entry === undefined) continue;
      const device = { path: partitionPath(facts.path, number), size: size * facts.sectorSize };
      devices.set(entry.name, [...(devices.get(entry.name) ?? []), device]);
    }
  }
  return devices;
}

/** Members that the layout means: where a disk may be absent, its member's place stays free. */
function wantedMembers(layout: Layout, members: readonly string[]): number {
  return members.reduce((sum, ref) => {
    const disk = layout.disks.find(({ partitions }) => partitions.some(({ name }) => name === ref));
    const range = /^(\d+)-(\d+)$/.exec(disk?.count ?? '1');
    return sum + Number(range?.[2] ?? disk?.count?.replace('+', '') ?? 1);
  }, 0);
}

function solveRaid(
  raid: Layout['raids'][number],
  members: readonly Device[],
  spares: readonly Device[],
  wanted: number,
): SolvedRaid | string {
  const { name, level, metadata = '1.2', chunk } = raid;
  // A mirror works with half of it; the others are made of what is there.
  const missing = level === 1 ? Math.max(0, Math.max(2, wanted) - members.length) : 0;
  if (members.length + (level === 1 ? missing : 0) < leastMembers[level] || members.length === 0) {
    return `RAID ${level} ${name} needs ${leastMembers[level]} members, and there are ${members.length}`;
  }
  const smallest = Math.min(...members.map(({ size }) => size));
  const each = Math.floor((smallest - memberOverhead(smallest)) / mebibyte) * mebibyte;
  return {
    ...{ name, level, metadata, missing, device: `/dev/md/${name}` },
    members: members.map(({ path }) => path),
    spares: spares.map(({ path }) => path),
    ...(chunk === undefined ? {} : { chunk }),
    size: Math.floor(each * contentMembers(level, members.length)),
    ...contents(raid),
  };
}

function solveGroup(
  group: Layout['volumeGroups'][number],
  below: readonly Device[],
  least: (ref: string) => number,
): SolvedGroup | string {
  const extent = group.extent ?? usualExtent;
  const size = below.reduce((sum, device) => sum + Math.floor((device.size - mebibyte) / extent) * extent, 0);
  const thick = group.volumes.filter(({ pool }) => pool === undefined);
  const wishes = thick.map((volume) => {
    const needed = wholeUnits(least(`${group.name}/${volume.name}`), extent);
    const fixed = volume.size !== undefined;
    const max = fixed
      ? needed
      : volume.max === undefined
        ? Number.POSITIVE_INFINITY
        : Math.floor(volume.max / extent) * extent;
    return { name: volume.name, min: needed, max: Math.max(needed, max), weight: fixed ? 0 : (volume.weight ?? 1) };
  });
  const sizes = shareSpace(size, wishes, extent);
  if (sizes === undefined) {
    const sum = wishes.reduce((bytes, { min }) => bytes + min, 0);
    return `the volume group ${group.name} has ${formatBytes(size)}, and its volumes need ${formatBytes(sum)}`;
  }
  const volumes = group.volumes.map((volume): SolvedVolume => {
    const bytes = volume.pool === undefined ? (sizes[thick.indexOf(volume)] ?? 0) : (volume.size ?? 0);
    return {
      ...{ name: volume.name, device: `/dev/${group.name}/${volume.name}` },
      size: volume.thinPool ? bytes - wholeUnits(poolOverhead(bytes), extent) : bytes,
      ...(volume.thinPool ? { thinPool: true } : {}),
      ...(volume.pool === undefined ? {} : { pool: volume.pool }),
      ...contents(volume),
    };
  });
  const taken = sizes.reduce((sum, bytes) => sum + bytes, 0);
  return {
    name: group.name,
    physicalVolumes: below.map(({ path }) => path),
    size,
    extent,
    volumes,
    free: size - taken,
  };
}

function contents(device: { role?: LayoutRole | undefined; fileSystem?: LayoutFileSystem | undefined }) {
  const made = device.role === 'swap' ? undefined : fileSystemOf(device);
  return {
    ...(device.role === undefined ? {} : { role: device.role }),
    ...(made === undefined ? {} : { fileSystem: made }),
  };
}
