import type { Layout, LayoutRole } from '../contract/layout.ts';
import type { PartitionFacts } from '../contract/machine.ts';
import { formatBytes } from '../foundation/bytes.ts';
import { ImprintError } from '../foundation/errors.ts';
import { deviceUses, fileSystemOf } from '../machine/layout-devices.ts';
import { describePartition, isExtended, partitionKind } from '../machine/partition-kind.ts';
import type { DiskEntry, PartitionEntry } from './disk-entries.ts';
import { bootSpace } from './install-space.ts';
import { type DiskContentPlan, holdsData } from './keep-partitions.ts';
import { wholeMebibytes } from './layout-least.ts';
import type { SolvedDisk, SolvedPartition } from './layout-solution.ts';
import { placeMbr } from './place-mbr.ts';
import { gapsBetween, mebibyte, type PartitionPlace, type Placed, placePartitions } from './place-partitions.ts';

export interface DiskProblem {
  layout: Layout;
  disk: DiskEntry;
  content: DiskContentPlan;
  /** Bytes that a device of the layout must have at least, by its name there. */
  least(ref: string, sectorSize: number): number;
  /** Bytes that a partition must not exceed, by its own name: members of one array are equal. */
  most: ReadonlyMap<string, number>;
  machine: string;
  reference: string;
}

/** Sectors that an MBR can count. */
const mbrSectors = 2 ** 32;

/**
 * Places a layout's partitions on one disk, around those that stay. Throws `disk-too-small`, `disk-holds-data` (they would fit if less stayed)
 * and `layout-unsolvable`.
 */
export function solveDisk(problem: DiskProblem): SolvedDisk {
  const { disk, content } = problem;
  const { facts } = disk;
  const table = tableOf(problem);
  // GRUB needs no partition for its core on an MBR: it lies in front of the first.
  const made = disk.partitions.filter(
    ({ name, entry }) =>
      !content.found.has(name) && entry.role !== 'foreign' && !(table === 'mbr' && entry.role === 'bios-boot'),
  );
  const wishes = made.map((each) => wishOf(problem, each));
  const kept = content.kept.map((each) => ({ ...each, extended: isExtended(each) }));
  const placed = table === 'gpt' ? placeGpt(facts.size, kept, wishes) : undefined;
  const answer =
    placed === undefined
      ? placeMbr(mbrEnd(problem), table === 'mbr' ? kept : [], wishes)
      : ({ kind: 'placed', placement: { placed } } as const);
  if (table === 'gpt' && placed === undefined) throw noRoom(problem, wishes);
  if (answer.kind === 'refused') {
    if (answer.because === 'room') throw noRoom(problem, wishes);
    const what = `the table of ${facts.path} (MBR) has no free entry beside the four partitions that stay`;
    throw unsolvable(problem, what, 'Let one of them go (erase: number=…), or use a disk with a GPT.');
  }
  const { placement } = answer;
  const extended = 'extended' in placement ? placement.extended : undefined;
  const partitions: SolvedPartition[] = [
    ...content.kept.map((partition) => keptPartition(problem, partition)),
    ...made.map((each) => newPartition(problem, table, each, placement.placed)),
    ...(extended === undefined ? [] : [extendedPartition(extended, facts.sectorSize)]),
  ];
  const logical = new Set(placement.placed.filter((each) => 'logical' in each && each.logical).map(({ name }) => name));
  number(partitions, (partition) => partition.name !== undefined && logical.has(partition.name));
  markActive(partitions, table);
  partitions.sort((left, right) => left.start - right.start || right.size - left.size);
  return { name: disk.name, facts, table, tableKept: content.kept.length > 0, partitions };
}

function tableOf({ disk, content, machine }: DiskProblem): 'gpt' | 'mbr' {
  const { facts, entry } = disk;
  const wanted = entry.table ?? 'auto';
  const there = facts.table?.type;
  if (content.kept.length > 0 && (there === 'gpt' || there === 'mbr')) {
    if (wanted === 'auto' || wanted === there) return there;
    const names = content.kept.map((partition) => `${partition.path} (${describePartition(partition)})`).join(', ');
    const problem = `${facts.path} has a table of the kind ${there}, which must stay with ${names}, and the layout wants ${wanted}`;
    throw new ImprintError('layout-unsolvable', {
      machine,
      problem,
      hint: 'Write table: auto, or erase what is in the way.',
    });
  }
  return wanted === 'auto' ? 'gpt' : wanted;
}

function mbrEnd({ disk }: DiskProblem): number {
  const { size, sectorSize } = disk.facts;
  return Math.min(size, mbrSectors * sectorSize);
}

/** Both copies of a GPT lie outside the first and the last MiB that partitions use. */
function placeGpt(
  size: number,
  kept: readonly { start: number; size: number }[],
  wishes: readonly PartitionPlace[],
): Placed[] | undefined {
  return placePartitions(gapsBetween(mebibyte, size - mebibyte, kept), wishes)?.placed;
}

/** How large a partition may be: what the layout says, what lies on it needs, and for firmware's and GRUB's what is usual on such a disk. */
function wishOf(problem: DiskProblem, { name, entry }: PartitionEntry): PartitionPlace {
  const { disk, least, most, reference } = problem;
  const { facts } = disk;
  const needed = wholeMebibytes(least(entry.name, facts.sectorSize));
  const size =
    entry.size ?? (entry.min === undefined && entry.max === undefined ? usualSize(entry.role, facts) : undefined);
  const cap = most.get(name) ?? Number.POSITIVE_INFINITY;
  if (size !== undefined) {
    const fixed = wholeMebibytes(size);
    if (fixed >= needed) return { name, min: fixed, max: fixed, weight: 0 };
    throw tooNarrow(problem, name, 'size', size, needed, reference);
  }
  const max = entry.max === undefined ? cap : Math.min(cap, Math.floor(entry.max / mebibyte) * mebibyte);
  if (max < needed) throw tooNarrow(problem, name, 'max', entry.max ?? max, needed, reference);
  return { name, min: needed, max, weight: entry.weight ?? 1 };
}

/** Bytes of the partitions that firmware and GRUB read, where the layout does not say. */
export function usualSize(
  role: LayoutRole | undefined,
  disk: { size: number; sectorSize: number },
): number | undefined {
  const usual = bootSpace(disk);
  if (role === 'bios-boot') return usual.biosBoot;
  if (role === 'esp') return usual.esp;
  return role === 'boot' ? usual.boot : undefined;
}

function tooNarrow(
  problem: DiskProblem,
  name: string,
  what: string,
  said: number,
  needed: number,
  reference: string,
): ImprintError {
  const words = `${name} has a ${what} of ${formatBytes(said)}, and ${reference} needs ${formatBytes(needed)} there`;
  return unsolvable(problem, words, `Raise its ${what} in the layout.`);
}

/** What does not fit, and why: the disk itself, or what stays on it. */
function noRoom({ disk, content, machine, reference }: DiskProblem, wishes: readonly PartitionPlace[]): ImprintError {
  const { facts } = disk;
  const needed = 2 * mebibyte + wishes.reduce((sum, { min }) => sum + min, 0);
  const held = content.kept.filter((each) => !isExtended(each));
  if (held.length === 0 || needed > facts.size) {
    const kept = held.reduce((sum, { size }) => sum + size, 0);
    return new ImprintError('disk-too-small', {
      ...{ disk: facts.path, machine, size: formatBytes(facts.size), reference, needed: formatBytes(needed + kept) },
    });
  }
  const named = new Set(content.found.values());
  const words = held.map((each) => `${each.path} (${describePartition(each)}, ${formatBytes(each.size)})`).join(', ');
  const kinds = [...new Set(held.filter((each) => !named.has(each)).map(partitionKind))];
  return holdsData(
    facts,
    machine,
    `${words}; ${formatBytes(needed)} are needed beside it`,
    kinds.length > 1 ? `[${kinds.join(', ')}]` : (kinds[0] ?? 'number=…'),
  );
}

function unsolvable({ machine }: DiskProblem, problem: string, hint: string): ImprintError {
  return new ImprintError('layout-unsolvable', { machine, problem, hint });
}

function keptPartition({ disk, content }: DiskProblem, kept: PartitionFacts): SolvedPartition {
  const { sectorSize } = disk.facts;
  const name = [...content.found].find(([, partition]) => partition === kept)?.[0];
  const entry = disk.partitions.find((each) => each.name === name)?.entry;
  return {
    ...(name === undefined || entry === undefined ? {} : { name, entry }),
    ...(entry?.role === undefined ? {} : { role: entry.role }),
    number: kept.number,
    start: kept.start / sectorSize,
    size: kept.size / sectorSize,
    type: kept.type,
    kept,
    ...(isExtended(kept) ? { extended: true } : {}),
    ...(kept.active ? { active: true } : {}),
  };
}

function newPartition(
  { layout, disk }: DiskProblem,
  table: 'gpt' | 'mbr',
  { name, entry }: PartitionEntry,
  placed: readonly Placed[],
): SolvedPartition {
  const place = placed.find((each) => each.name === name);
  if (place === undefined) throw new RangeError(`nothing was placed for ${name}`);
  const { sectorSize } = disk.facts;
  const made = entry.role === 'bios-boot' || entry.role === 'swap' ? undefined : fileSystemOf(entry);
  return {
    name,
    entry,
    number: 0,
    start: place.start / sectorSize,
    size: place.size / sectorSize,
    type: typeOf(layout, table, entry.name, entry.role, made?.type),
    ...(entry.role === undefined ? {} : { role: entry.role }),
    ...(made === undefined ? {} : { fileSystem: made }),
  };
}

function extendedPartition(place: { start: number; size: number }, sectorSize: number): SolvedPartition {
  return { number: 0, start: place.start / sectorSize, size: place.size / sectorSize, type: '0f', extended: true };
}

const linuxData = '0FC63DAF-8483-4772-8E79-3D69D8477DE4';
/** GPT type and MBR type of a partition by what it is for (sources: `partition-types.ts`). */
const types = {
  'bios-boot': ['21686148-6449-6E6F-744E-656564454649', '83'],
  esp: ['C12A7328-F81F-11D2-BA4B-00A0C93EC93B', 'ef'],
  swap: ['0657FD6D-A4AB-43C4-84E5-0933C84B4F4F', '82'],
  raid: ['A19D880F-05FC-4D3B-A006-743F0F84911E', 'fd'],
  lvm: ['E6D6D379-F507-44C2-A23C-238F2A3DF928', '8e'],
  luks: ['CA7D7CCB-63ED-4C53-861C-1742536059CC', 'e8'],
  fat: ['EBD0A0A2-B9E5-4433-87C0-68B6B72699C7', '0c'],
  // Not the type “root”: nothing shall guess which of several is to be mounted (systemd-gpt-auto-generator).
  linux: [linuxData, '83'],
} as const;

function typeOf(
  layout: Layout,
  table: 'gpt' | 'mbr',
  ref: string,
  role: LayoutRole | undefined,
  fileSystem?: string,
): string {
  const use = deviceUses(layout).find((each) => each.ref === ref);
  const member = layout.raids.some(({ name }) => use?.makes[0] === name)
    ? 'raid'
    : layout.crypts.some(({ name }) => use?.makes[0] === name)
      ? 'luks'
      : 'lvm';
  const known =
    use !== undefined
      ? member
      : role === 'bios-boot' || role === 'esp' || role === 'swap'
        ? role
        : fileSystem === 'vfat' || fileSystem === 'exfat'
          ? 'fat'
          : 'linux';
  return types[known][table === 'gpt' ? 0 : 1];
}

/** Gives new partitions the lowest free numbers, in the order in which they lie. */
function number(partitions: SolvedPartition[], isLogical: (partition: SolvedPartition) => boolean): void {
  const logical = partitions.filter(
    (each) => isLogical(each) || (each.kept !== undefined && each.number > 4 && each.type.length <= 4),
  );
  const chained = new Set(logical);
  const taken = new Set(
    partitions.filter((each) => each.kept !== undefined && !chained.has(each)).map((each) => each.number),
  );
  const byStart = [...partitions].sort((left, right) => left.start - right.start || right.size - left.size);
  let next = 1;
  for (const partition of byStart) {
    if (partition.kept !== undefined || chained.has(partition)) continue;
    while (taken.has(next)) next += 1;
    taken.add(next);
    partition.number = next;
  }
  // As sfdisk has it: those that stay move up in their chain, and the new ones are hung on behind.
  const stays = logical.filter((each) => each.kept !== undefined).sort((left, right) => left.number - right.number);
  const made = byStart.filter((each) => chained.has(each) && each.kept === undefined);
  [...stays, ...made].forEach((partition, index) => {
    partition.number = 5 + index;
  });
}

/** Some firmware starts nothing from an MBR without an active partition. What stays is not changed for it. */
function markActive(partitions: readonly SolvedPartition[], table: 'gpt' | 'mbr'): void {
  if (table === 'gpt' || partitions.some(({ active }) => active)) return;
  const made = partitions.filter((each) => each.kept === undefined && each.number <= 4 && !each.extended);
  const boot = made.find(({ role }) => role === 'boot') ?? made[0];
  if (boot !== undefined) boot.active = true;
}
