import type { LayoutPartition } from '../contract/layout.ts';
import type { DiskFacts, PartitionFacts } from '../contract/machine.ts';
import { formatBytes } from '../foundation/bytes.ts';
import { ImprintError } from '../foundation/errors.ts';
import { partitionLabels } from '../machine/installed-layout.ts';
import { fileSystemOf } from '../machine/layout-devices.ts';
import { type EraseOrder, type PartitionRule, parseErase, parsePartitionRule } from '../machine/layout-terms.ts';
import { contentKind, describePartition, isExtended, partitionKind } from '../machine/partition-kind.ts';
import type { DiskEntry } from './disk-entries.ts';
import type { Loss } from './layout-solution.ts';

/** What becomes of a disk's present content. */
export interface DiskContentPlan {
  /** Stay where they are, the extended partition of those that are logical with them. */
  kept: PartitionFacts[];
  /** Those of the layout that are there already, by the layout's name. */
  found: Map<string, PartitionFacts>;
  erased: PartitionFacts[];
  lost: Loss[];
  notes: string[];
}

/** Free room that an EFI system partition of another system must have for our loader. */
const sharedEspRoom = 8 * 1024 ** 2;

/**
 * Decides what of a disk stays: what the layout names to be kept, what it takes for foreign, and all that it does not allow to be erased.
 * Throws `disk-holds-data` where something that stays leaves no way to use the disk, and `layout-unsolvable` where it is not clear
 * what is to be kept.
 */
export function planContent(disk: DiskEntry, machine: string): DiskContentPlan {
  const { facts, entry } = disk;
  const order = parseErase(entry.erase);
  const { partitions, whole, table } = facts;
  if (partitions === undefined || table?.type === 'other') {
    if (!order.all && facts.content !== 'empty') throw holdsData(facts, machine, facts.content, 'all');
    return { kept: [], found: new Map(), erased: [], lost: unknownLoss(facts), notes: [] };
  }
  if (table === undefined) {
    const kind = contentKind(whole);
    if (!order.all && !order.kinds.has(kind)) {
      throw holdsData(facts, machine, `${whole?.type ?? 'something'} on the whole disk`, kind);
    }
    return { kept: [], found: new Map(), erased: [], lost: wholeLoss(facts), notes: [] };
  }
  const found = findNamed(disk, machine);
  const data = partitions.filter((each) => !isExtended(each));
  const ours = (partition: PartitionFacts) => order.kinds.has('linux') && isOwnEsp(partition, partitions);
  const stays = (partition: PartitionFacts) =>
    [...found.values()].includes(partition) || !(order.all || isNamed(partition, order) || ours(partition));
  const kept = data.filter(stays);
  const erased = data.filter((partition) => !stays(partition));
  refuseMistaken(disk, found, erased, order, machine);
  const notes = shareEsp(disk, kept, found);
  if (kept.some(({ number }) => table.type === 'mbr' && number > 4)) kept.push(...partitions.filter(isExtended));
  return { kept, found, erased, lost: erased.map((partition) => lossOf(facts, partition)), notes };
}

/** The EFI system partition of an earlier install of ours, while no other system is there that could use it. */
function isOwnEsp(partition: PartitionFacts, all: readonly PartitionFacts[]): boolean {
  const others = all.some((each) => ['windows', 'recovery', 'vendor', 'other'].includes(partitionKind(each)));
  const { content } = partition;
  // One without a file system is that of an install that was cut.
  const made = content === undefined || content.label === partitionLabels.esp;
  return partitionKind(partition) === 'esp' && made && !others;
}

/** Partitions of the disk that the layout means by `keep` or as foreign. */
function findNamed(disk: DiskEntry, machine: string): Map<string, PartitionFacts> {
  const found = new Map<string, PartitionFacts>();
  const data = (disk.facts.partitions ?? []).filter((each) => !isExtended(each));
  for (const { name, entry } of disk.partitions) {
    const matches = matcherOf(entry);
    if (matches === undefined) continue;
    const free = data.filter((partition) => matches(partition) && ![...found.values()].includes(partition));
    const [first, ...more] = free;
    if (first === undefined) continue;
    // Of foreign ones all are kept; the name goes to the largest.
    const largest = free.reduce((left, right) => (right.size > left.size ? right : left));
    if (more.length > 0 && entry.keep !== undefined) {
      const problem = `${free.map(({ path }) => path).join(' and ')} could both be ${name}, which is to be kept`;
      const hint = 'Say which in the layout: keep: uuid=… or keep: number=…';
      throw new ImprintError('layout-unsolvable', { machine, problem, hint });
    }
    found.set(name, largest);
    if (entry.keep === undefined) {
      for (const other of free) if (other !== largest) found.set(`${name} (${other.path})`, other);
    } else checkKept(name, entry, first, machine);
  }
  return found;
}

/** What a layout's partition is found by; undefined: it is always made. */
function matcherOf(entry: LayoutPartition): ((partition: PartitionFacts) => boolean) | undefined {
  const { keep, kind, role, name } = entry;
  if (keep === undefined) {
    return role === 'foreign' && kind !== undefined ? (partition) => partitionKind(partition) === kind : undefined;
  }
  const label = fileSystemOf(entry)?.label;
  const rule: PartitionRule | undefined =
    keep === 'true'
      ? label === undefined
        ? { field: 'name', value: name }
        : { field: 'label', value: label }
      : parsePartitionRule(keep);
  return rule === undefined ? undefined : (partition) => ruleFits(rule, partition);
}

function ruleFits({ field, value }: PartitionRule, partition: PartitionFacts): boolean {
  const same = (text: string | undefined) => text?.toLowerCase() === value.toLowerCase();
  switch (field) {
    case 'label':
      return partition.content?.label === value;
    case 'name':
      return partition.name === value;
    case 'uuid':
      return same(partition.content?.uuid);
    case 'partuuid':
      return same(partition.uuid);
    case 'number':
      return String(partition.number) === value;
  }
}

/** A partition that is kept is never changed: it must be what the layout takes it for. */
function checkKept(name: string, entry: LayoutPartition, partition: PartitionFacts, machine: string): void {
  const wanted = entry.fileSystem?.type;
  const there = partition.content?.type;
  const least = entry.size ?? entry.min ?? 0;
  const say = (problem: string, hint: string) => new ImprintError('layout-unsolvable', { machine, problem, hint });
  if (wanted !== undefined && there !== wanted) {
    const problem = `${name} is to be kept as ${wanted}, and ${partition.path} holds ${there ?? 'nothing that is known'}`;
    throw say(problem, 'Mend fileSystem in the layout, or take keep away: then it is made anew.');
  }
  if (entry.size === undefined && partition.size < least) {
    const problem = `${name} is to be kept and needs ${formatBytes(least)}, but ${partition.path} has ${formatBytes(partition.size)}`;
    throw say(problem, 'Kept partitions are never resized: lower its min in the layout.');
  }
}

/** Where data is to be kept and not found, something that looks like it must not be erased by a word for many. */
function refuseMistaken(
  disk: DiskEntry,
  found: ReadonlyMap<string, PartitionFacts>,
  erased: readonly PartitionFacts[],
  order: EraseOrder,
  machine: string,
): void {
  if (order.all) return;
  for (const { name, entry } of disk.partitions) {
    if (entry.keep === undefined || found.has(name) || entry.role === 'foreign') continue;
    const type = fileSystemOf(entry)?.type;
    const like = erased.find(
      (each) =>
        each.content?.type === type &&
        each.size >= (entry.min ?? 0) &&
        !order.rules.some((rule) => ruleFits(rule, each)),
    );
    if (like === undefined) continue;
    const by = entry.keep === 'true' ? (fileSystemOf(entry)?.label ?? entry.name) : entry.keep;
    const problem = `${name} is to be kept, nothing on ${disk.facts.path} is called “${by}”, and ${like.path} (${describePartition(like)}, ${formatBytes(like.size)}), which would be erased, could be it`;
    const hint = `Say which it is in the layout (keep: number=${like.number}), or that this one may go (erase: number=${like.number}).`;
    throw new ImprintError('layout-unsolvable', { machine, problem, hint });
  }
}

function isNamed(partition: PartitionFacts, order: EraseOrder): boolean {
  return order.kinds.has(partitionKind(partition)) || order.rules.some((rule) => ruleFits(rule, partition));
}

/** An EFI system partition that stays serves this system, too: firmware looks at one, and Windows wants no second. */
function shareEsp(disk: DiskEntry, kept: readonly PartitionFacts[], found: Map<string, PartitionFacts>): string[] {
  const wanted = disk.partitions.find(({ name, entry }) => entry.role === 'esp' && !found.has(name));
  const there = kept.find(
    (partition) => partitionKind(partition) === 'esp' && ![...found.values()].includes(partition),
  );
  if (wanted === undefined || there === undefined) return [];
  const { used } = there.content ?? {};
  if (there.content?.type !== 'vfat' || (used !== undefined && there.size - used < sharedEspRoom)) {
    return [`the EFI system partition ${there.path} has no room for another loader: this system gets its own`];
  }
  found.set(wanted.name, there);
  return [`the EFI system partition ${there.path} stays and is shared with what boots from it now`];
}

/** Words of a refusal: what stays in the way. */
export function holdsData(facts: DiskFacts, machine: string, content: string, example: string): ImprintError {
  return new ImprintError('disk-holds-data', { disk: facts.path, machine, content, example });
}

function lossOf(facts: DiskFacts, partition: PartitionFacts): Loss {
  const used = partition.content?.used;
  return {
    disk: facts.path,
    path: partition.path,
    what: describePartition(partition),
    kind: partitionKind(partition),
    bytes: partition.size,
    ...(used === undefined ? {} : { used }),
  };
}

function wholeLoss(facts: DiskFacts): Loss[] {
  const { whole, path, size } = facts;
  if (whole === undefined) return [];
  const { used } = whole;
  const what = describePartition({ type: '', content: whole, ...(whole.group && { group: whole.group }) });
  return [{ disk: path, path, what, kind: contentKind(whole), bytes: size, ...(used === undefined ? {} : { used }) }];
}

function unknownLoss({ path, content, size }: DiskFacts): Loss[] {
  return content === 'empty' ? [] : [{ disk: path, path, what: content, kind: 'unknown', bytes: size }];
}
