import { type InstalledStack, raidUuid } from '../machine/installed-stack.ts';
import { isMountedEarly } from '../machine/layout-devices.ts';
import type { Carrier, Stacked } from './carriers.ts';
import type { SolvedCrypt, SolvedGroup, SolvedRaid } from './layout-solution.ts';
import type { Step } from './step.ts';

/** What of a solution lies between partitions and file systems, with the names that it gets; undefined: nothing. */
export function installedStack(solution: Stacked, carriers: readonly Carrier[]): InstalledStack | undefined {
  const { raids = [], crypts = [], groups = [] } = solution;
  if (raids.length + crypts.length + groups.length === 0) return undefined;
  const under = belowRoot(solution, carriers);
  const root = (is: boolean) => (is ? { root: true as const } : {});
  const uuidOf = (device: string) => carriers.find((each) => each.device === device)?.fresh.partition ?? '';
  return {
    raids: raids.map(({ name, device, metadata }) => ({
      ...{ name, uuid: raidUuid(uuidOf(device)), metadata },
      ...root(under.has(device)),
    })),
    crypts: crypts.map(({ name, device, unlock, keyFile }) => ({
      ...{ name, uuid: uuidOf(device) },
      ...(unlock === 'key-file' && keyFile !== undefined ? { keyFile } : {}),
      ...root(under.has(device)),
    })),
    groups: groups.map(({ name, volumes }) => ({ name, ...root(volumes.some(({ device }) => under.has(device))) })),
  };
}

/** Devices that must be there before a root and its `/usr` can be mounted. */
function belowRoot({ raids = [], crypts = [], groups = [] }: Stacked, carriers: readonly Carrier[]): Set<string> {
  const under = new Set<string>();
  const go = (device: string): void => {
    if (under.has(device)) return;
    under.add(device);
    const raid = raids.find((each) => each.device === device);
    const crypt = crypts.find((each) => each.device === device);
    const group = groups.find(({ volumes }) => volumes.some((each) => each.device === device));
    const below = [
      ...(raid === undefined ? [] : raid.members),
      ...(crypt === undefined ? [] : [crypt.on]),
      ...(group?.physicalVolumes ?? []),
    ];
    for (const each of below) go(each);
  };
  for (const carrier of carriers) if (isMountedEarly(carrier)) go(carrier.device);
  return under;
}

/** Makes arrays, encrypted devices and volume groups, what lies below first. */
export function stackSteps(solution: Stacked, stack: InstalledStack | undefined): Step[] {
  if (stack === undefined) return [];
  const { disks, raids = [], crypts = [], groups = [] } = solution;
  const made = new Set(raids.concat().map(({ device }) => device));
  for (const { device } of crypts) made.add(device);
  for (const { volumes } of groups) for (const { device } of volumes) made.add(device);
  let left: Part[] = [
    ...raids.map((raid) => ({
      needs: [...raid.members, ...raid.spares],
      makes: [raid.device],
      steps: raidSteps(raid, stack),
    })),
    ...crypts.map((crypt) => ({ needs: [crypt.on], makes: [crypt.device], steps: cryptSteps(crypt, stack) })),
    ...groups.map((group) => ({
      needs: group.physicalVolumes,
      makes: group.volumes.map(({ device }) => device),
      steps: groupSteps(group),
    })),
  ];
  const steps: Step[] = [];
  while (left.length > 0) {
    const ready = left.filter(({ needs }) => !needs.some((device) => made.has(device)));
    if (ready.length === 0) throw new RangeError(`a stack that rests on itself, on ${disks.length} disks`);
    for (const { makes, steps: own } of ready) {
      steps.push(...own);
      for (const device of makes) made.delete(device);
    }
    left = left.filter((each) => !ready.includes(each));
  }
  return steps;
}

interface Part {
  needs: readonly string[];
  makes: readonly string[];
  steps: Step[];
}

function raidSteps(raid: SolvedRaid, stack: InstalledStack): Step[] {
  const { name, level, device, metadata, members, missing, spares, chunk } = raid;
  const uuid = stack.raids.find((each) => each.name === name)?.uuid ?? '';
  return [
    {
      kind: 'make-raid',
      ...{ name, device, level, metadata, uuid, members, missing, spares },
      ...(chunk === undefined ? {} : { chunk }),
    },
  ];
}

function cryptSteps({ name, device, on, version }: SolvedCrypt, stack: InstalledStack): Step[] {
  const { uuid = '', keyFile } = stack.crypts.find((each) => each.name === name) ?? {};
  return [
    {
      kind: 'make-crypt',
      ...{ name, device, on, uuid, version: version ?? '2' },
      ...(keyFile === undefined ? {} : { keyFile }),
    },
  ];
}

function groupSteps({ name, physicalVolumes, extent, volumes }: SolvedGroup): Step[] {
  // A pool before what takes its blocks from it.
  const ordered = [
    ...volumes.filter(({ pool }) => pool === undefined),
    ...volumes.filter(({ pool }) => pool !== undefined),
  ];
  return [
    { kind: 'make-group', name, physicalVolumes, extent },
    ...ordered.map((volume) => ({
      kind: 'make-volume' as const,
      ...{ group: name, name: volume.name, device: volume.device, bytes: volume.size },
      ...(volume.thinPool ? { thinPool: true as const } : {}),
      ...(volume.pool === undefined ? {} : { pool: volume.pool }),
    })),
  ];
}
