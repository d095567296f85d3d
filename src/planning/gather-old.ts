import { type PartitionFacts, rootFileSystemSchema } from '../contract/machine.ts';
import { partitionLabels } from '../machine/installed-layout.ts';
import type { LayoutSolution, SolvedDisk } from './layout-solution.ts';
import type { InstallQuestion } from './plan-install.ts';
import type { OldPartition, Step } from './step.ts';

const mebibyte = 1024 ** 2;
/** Of all memory: what the imager itself lies in, and a restore with few threads needs. */
const reserved = 1024 * mebibyte;
/** Of what is free once the imager runs: for that restore, and the pages that it writes. */
const reservedOfFree = 640 * mebibyte;
/** Less than this is not worth a look at the old system. */
const least = 64 * mebibyte;

/**
 * Bytes of memory that hold what is taken from an old system: a third, as long as the install has enough beside it; 0: nothing is taken. `free`: of all memory
 * what nothing uses, where that is known. Pure.
 */
export function gatherLimit({ memory, free = memory }: { memory: number; free?: number }): number {
  const most = Math.floor(Math.min(memory / 3, free / 3, memory - reserved, free - reservedOfFree));
  return most < least ? 0 : most;
}

/**
 * What looks for chunks of the version in what goes from the disks, where a system of ours can be among it: there is a boot partition by its label. Whether it
 * really is one is seen when it is read. Pure.
 */
export function gatherSteps(
  { facts, reference, record, remote }: InstallQuestion,
  { disks }: Pick<LayoutSolution, 'disks'>,
): Step[] {
  const limit = gatherLimit({ memory: facts.memory });
  if (remote !== true || limit === 0) return [];
  const gone = disks.flatMap(goneFrom);
  const boots = gone.filter(isBoot).map(({ path }) => path);
  const systems = gone.filter((each) => !isBoot(each)).flatMap(oldPartition);
  if (boots.length === 0 || systems.length === 0) return [];
  return [{ kind: 'gather-old', reference, boots, systems, most: limit, bytes: record.stats.contentBytes }];
}

function goneFrom({ facts, tableKept, partitions }: SolvedDisk): PartitionFacts[] {
  const stays = tableKept ? partitions.map(({ kept }) => kept) : [];
  return (facts.partitions ?? []).filter((each) => !stays.includes(each));
}

function isBoot({ content }: PartitionFacts): boolean {
  return content?.type === 'ext4' && content.label === partitionLabels.boot;
}

function oldPartition({ path: device, content }: PartitionFacts): OldPartition[] {
  const fileSystem = rootFileSystemSchema.options.find((each) => each === content?.type);
  return fileSystem === undefined || content?.uuid === undefined ? [] : [{ device, fileSystem, uuid: content.uuid }];
}
