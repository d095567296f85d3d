import type { BootArea } from '../contract/boot-copy.ts';
import { type DiskStructure, isBiosBoot } from './disk-structure.ts';
import { bootCodeLength } from './grub-core.ts';

/** Bytes of a disk that a safety copy keeps as they are. */
export type WantedArea = Pick<BootArea, 'part' | 'name' | 'offset' | 'length'>;

/** GRUB's core ends below 480 KiB, and nothing else that boots is larger. */
const longestGap = 2 ** 20;
/** Far more than any boot loader; a partition of this type that is larger holds something else. */
const largestBiosBoot = 64 * 2 ** 20;

/**
 * What makes a disk boot beside its file systems, in the order in which it is written: what is pointed to before what points to it, the
 * code in the first sector last.
 */
export function bootAreas(structure: DiskStructure): WantedArea[] {
  const { partitions, ranges, size: diskSize } = structure;
  const biosBoot = partitions
    .filter(({ start, size, type }) => isBiosBoot({ type }) && size <= largestBiosBoot && start + size <= diskSize)
    .map(({ number, start, size }): WantedArea => {
      return { part: 'bios-boot', name: `partition-${number}`, offset: start, length: size };
    });
  const table = ranges.map(({ name, offset, length }): WantedArea => ({ part: 'table', name, offset, length }));
  return [
    ...biosBoot,
    ...gapOf(structure),
    ...table,
    { part: 'code', name: 'boot-code', offset: 0, length: bootCodeLength },
  ];
}

/** What lies between the table and the first partition: GRUB's core on MBR disks. */
function gapOf({ label, partitions, ranges, sectorSize, size }: DiskStructure): WantedArea[] {
  const front = ranges.filter(({ name }) => name === 'primary' || name === 'primary-rows');
  const offset = Math.max(sectorSize, ...front.map(({ offset: at, length }) => at + length));
  const first = Math.min(size, ...partitions.map(({ start }) => start));
  // Without a table nobody knows where the gap ends.
  const end = label === 'none' ? offset : Math.min(first, offset + longestGap);
  return end <= offset ? [] : [{ part: 'gap', name: 'gap', offset, length: end - offset }];
}
