import type { Layout } from '../contract/layout.ts';
import type { DiskFacts } from '../contract/machine.ts';
import { ImprintError } from '../foundation/errors.ts';
import { chooseDisks } from '../machine/choose-disk.ts';
import { fileSystemOf } from '../machine/layout-devices.ts';
import { parseDiskCount, parseErase } from '../machine/layout-terms.ts';
import { bootProblem } from './boot-problem.ts';
import { type DiskEntry, diskEntries } from './disk-entries.ts';
import { type DiskContentPlan, planContent } from './keep-partitions.ts';
import { leastSizes } from './layout-least.ts';
import { solvedMounts } from './layout-mounts.ts';
import type { LayoutAnswer, LayoutNeeds, LayoutQuestion, SolvedDisk } from './layout-solution.ts';
import { mebibyte } from './place-partitions.ts';
import { solveDisk, usualSize } from './solve-disk.ts';
import { solveStack } from './solve-stack.ts';

/**
 * What a layout means on the disks of a machine, or why nothing may be written. Pure: the same question has the same answer.
 *
 * Refusals: `disk-none`, `disk-ambiguous`, `disk-in-use`, `disk-too-small`, `disk-holds-data`, `disk-shared`, `image-unfit` (the firmware
 * cannot boot such a disk), `layout-unsolvable`, `input-invalid` (a disk rule that is none).
 */
export function solveLayout(question: LayoutQuestion): LayoutAnswer {
  try {
    return { kind: 'solved', solution: solve(question) };
  } catch (error) {
    if (error instanceof ImprintError) return { kind: 'refused', error };
    throw error;
  }
}

function solve(question: LayoutQuestion) {
  const { layout, machine, reference } = question;
  const entries = diskEntries(layout, chosenDisks(question));
  const unbootable = bootProblem(question, entries);
  if (unbootable !== undefined) throw unbootable;
  const count = (ref: string) =>
    entries.flatMap(({ partitions }) => partitions).filter(({ entry }) => entry.name === ref).length || 1;
  const contents = new Map(entries.map((disk) => [disk.name, planContent(disk, machine)]));
  const least = leastSizes(layout, needsBeside(question, contents), count);
  refuseShared(question, entries, contents);
  const solveAll = (most: ReadonlyMap<string, number>) =>
    entries.map((disk) =>
      solveDisk({ layout, disk, content: contents.get(disk.name) ?? nothing, least, most, machine, reference }),
    );
  const free = solveAll(new Map());
  const most = equalMembers(layout, free);
  const disks = most.size === 0 ? free : solveAll(most);
  const stack = solveStack(question, disks, (ref) => least(ref, 512));
  const plans = [...contents.values()];
  return {
    disks,
    ...{ raids: stack.raids, crypts: stack.crypts, groups: stack.groups },
    mounts: solvedMounts(layout, disks, stack),
    lost: plans.flatMap(({ lost }) => lost),
    notes: [...plans.flatMap(({ notes }) => notes), ...absentNotes(entries, disks), ...stack.notes],
  };
}

const nothing: DiskContentPlan = { kept: [], found: new Map(), erased: [], lost: [], notes: [] };

/** What the version holds below the mount point of something that stays lies in the root, unseen: it needs its room there. */
function needsBeside({ layout, needs }: LayoutQuestion, contents: ReadonlyMap<string, DiskContentPlan>): LayoutNeeds {
  const found = new Set([...contents.values()].flatMap((content) => [...content.found.keys()]));
  const kept = layout.disks
    .flatMap(({ partitions }) => partitions)
    .filter(({ name, keep }) => keep !== undefined && found.has(name))
    .map((partition) => fileSystemOf(partition)?.mount)
    .reduce((sum, mount) => sum + (needs.mounts.get(mount ?? '') ?? 0), 0);
  return { ...needs, system: needs.system + kept };
}

/** The disks of each entry. One that was taken by an entry is not there for the next. */
function chosenDisks(question: LayoutQuestion): DiskFacts[][] {
  const { layout, disks, machine, reference } = question;
  const taken = new Set<string>();
  return layout.disks.map((entry) => {
    const answer = chooseDisks(
      {
        disks: disks.filter(({ path }) => !taken.has(path)),
        rule: entry.match,
        needed: (disk) => neededOn(question, disk, entry),
        machine,
        reference,
      },
      parseDiskCount(entry.count),
    );
    if (answer.kind === 'refused') throw answer.error;
    for (const { path } of answer.disks) taken.add(path);
    return answer.disks;
  });
}

/**
 * Bytes that a disk must have for an entry of the layout, with nothing on it. Where the layout leaves open how many disks there are, what
 * one must hold is known only when all are there.
 */
function neededOn({ layout, needs }: LayoutQuestion, facts: DiskFacts, entry: Layout['disks'][number]): number {
  if (layout.disks.some(({ count }) => count !== undefined && !/^\d+$/.test(count))) return 0;
  const count = (ref: string) => {
    const owner = layout.disks.find(({ partitions }) => partitions.some(({ name }) => name === ref));
    return Number(owner?.count ?? 1);
  };
  const least = leastSizes(layout, needs, count);
  const sizes = entry.partitions
    .filter(({ role, keep }) => role !== 'foreign' && keep === undefined)
    .filter(({ role }) => !(role === 'bios-boot' && entry.table === 'mbr'))
    .map(({ name, role, size, min, max }) => {
      const usual = (size ?? min ?? max) === undefined ? (usualSize(role, facts) ?? 0) : 0;
      return Math.max(least(name, facts.sectorSize), usual);
    });
  return 2 * mebibyte + sizes.reduce((sum, size) => sum + size, 0);
}

/** Members of an array are no larger than the smallest of them: the rest would lie idle, and may be of use to another partition. */
function equalMembers(layout: Layout, disks: readonly SolvedDisk[]): Map<string, number> {
  const most = new Map<string, number>();
  for (const { members, spares } of layout.raids) {
    const parts = disks.flatMap(({ facts, partitions }) =>
      partitions
        .filter(({ entry }) => entry !== undefined && [...members, ...spares].includes(entry.name))
        .map(({ name = '', size, entry }) => ({
          name,
          bytes: size * facts.sectorSize,
          fixed: entry?.size !== undefined,
        })),
    );
    const smallest = Math.min(...parts.map(({ bytes }) => bytes));
    for (const { name, bytes, fixed } of parts) if (!fixed && bytes > smallest) most.set(name, smallest);
  }
  return most;
}

/** What is erased on one disk must not be half of what lies on another, too. */
function refuseShared(
  { disks, machine }: LayoutQuestion,
  entries: readonly DiskEntry[],
  contents: ReadonlyMap<string, DiskContentPlan>,
): void {
  const gone = new Set<string>();
  for (const { name, facts } of entries) {
    for (const { path } of contents.get(name)?.lost ?? []) gone.add(path);
    if (facts.table === undefined) gone.add(facts.path);
  }
  const members = disks.flatMap(({ path, whole, partitions = [] }) => [
    ...(whole?.group === undefined ? [] : [{ path, disk: path, group: whole.group }]),
    ...partitions.flatMap((each) =>
      each.group === undefined ? [] : [{ path: each.path, disk: path, group: each.group }],
    ),
  ]);
  for (const member of members.filter(({ path }) => gone.has(path))) {
    const entry = entries.find(({ facts }) => facts.path === member.disk)?.entry;
    const others = members.filter(({ path, group }) => group.id === member.group.id && !gone.has(path));
    if (others.length === 0 || parseErase(entry?.erase).shared) continue;
    const kind = member.group.kind === 'lvm' ? 'volume group' : 'array';
    throw new ImprintError('disk-shared', {
      partition: member.path,
      machine,
      group: `the ${kind} ${member.group.name ?? member.group.id}`,
      others: others.map(({ path }) => path).join(', '),
    });
  }
}

/** Data that the layout wants kept and that is not there: it is made. */
function absentNotes(entries: readonly DiskEntry[], disks: readonly SolvedDisk[]): string[] {
  const made = new Set(
    disks.flatMap(({ partitions }) => partitions.filter(({ kept }) => kept === undefined).map(({ name }) => name)),
  );
  return entries.flatMap(({ partitions, facts }) =>
    partitions
      .filter(({ name, entry }) => entry.keep !== undefined && made.has(name))
      .map(({ name }) => `${name} is not on ${facts.path} yet: it is made, and kept from then on`),
  );
}
