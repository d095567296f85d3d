import type { BootArea, BootCopy, BootVolume } from '../contract/boot-copy.ts';
import { bootCodeLength } from './grub-core.ts';

/**
 * What of a safety copy's record contradicts itself, in words; undefined where nothing does. What it would have written lies on its disk, boot code in front of the
 * table, and nothing of a file system outside of it. Pure.
 */
export function bootCopyProblem({ disk, table, areas, volumes, variables }: BootCopy): string | undefined {
  const area = areas.find((each) => !isPlaced(each, disk.size, table.partitions));
  if (area !== undefined) return `${area.file} does not belong at byte ${area.offset} of the disk`;
  const volume = volumes.find((each) => !isWhole(each, disk.size));
  if (volume !== undefined) return `the ESP of partition ${volume.partition} does not lie where it says`;
  const variable = variables.find(({ name }) => !bootVariableNames.test(name));
  return variable === undefined ? undefined : `${variable.file} is no boot variable`;
}

/** Variables of the firmware that choose what boots, and are kept (UEFI 2.10, chapter 3.3). */
export const bootVariableNames = /^(Boot[0-9A-F]{4}|BootOrder|Timeout)$/;

function isPlaced(
  { part, name, offset, length }: BootArea,
  size: number,
  partitions: BootCopy['table']['partitions'],
): boolean {
  if (offset + length > size) return false;
  if (part === 'code') return offset === 0 && length <= bootCodeLength;
  // What was replaced by a restore has its place from another table than the one that was there then.
  if (name.startsWith('before-')) return true;
  if (part === 'gap') return partitions.every(({ start }) => offset + length <= start);
  if (part === 'bios-boot')
    return partitions.some(({ number, start, size: room }) => {
      return name === `partition-${number}` && start === offset && room === length;
    });
  return true;
}

function isWhole({ offset, size, files, own }: BootVolume, diskSize: number): boolean {
  if (offset + size > diskSize) return false;
  const sum = (runs: BootVolume['own']['runs']) => runs.reduce((total, { length }) => total + length, 0);
  return (
    [own, ...files].every(({ runs }) => runs.every((run) => run.offset + run.length <= size)) &&
    files.every((file) => sum(file.runs) >= file.size)
  );
}
