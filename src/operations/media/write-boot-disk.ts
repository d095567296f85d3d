import { buildFat32 } from '../../image/fat32.ts';
import type { MediumNames } from '../../machine/medium-names.ts';
import { ceilMebibytes, type MediumPartition, type MediumWish } from '../../machine/medium-table.ts';
import type { DiskFile } from '../../system/disk-file.ts';
import { fatTree } from './boot-programs.ts';

const mebibyte = 2 ** 20;
const biosBootSize = mebibyte;
/** From here on FAT32 has clusters of 4 KiB: GRUB of a BIOS reads large files several times faster than from small ones. */
const roomyFat = 264 * mebibyte;
const leastFat = 40 * mebibyte;

/** The two partitions that every medium begins with. `bytes` is what goes onto the FAT one. */
export function bootWishes(names: MediumNames, name: string, bytes: number): MediumWish[] {
  const needed = bytes * 1.1 + 8 * mebibyte;
  const size = needed > leastFat ? Math.max(roomyFat, ceilMebibytes(needed)) : leastFat;
  return [
    { number: 1, role: 'bios-boot', name: 'BIOS boot', size: biosBootSize, uuid: names.uuid('partition bios') },
    { number: 2, role: 'boot', name, size, uuid: names.uuid('partition boot') },
  ];
}

/** Makes the FAT file system and all in it. Throws a `RangeError` where it does not fit. */
export function writeFat(
  disk: DiskFile,
  place: MediumPartition,
  fat: { volumeId: string; label: string; files: Readonly<Record<string, Uint8Array>>; time: number },
): void {
  disk.clear(place.start, place.size);
  const root = fatTree(fat.files, { seconds: fat.time, nanoseconds: 0 });
  const pieces = buildFat32({ size: place.size, volumeId: fat.volumeId, label: fat.label, root });
  for (const { offset, bytes } of pieces) disk.write(place.start + offset, bytes);
}

/** As tools show it: `1234-ABCD`. */
export function volumeName(volumeId: string): string {
  return `${volumeId.slice(0, 4)}-${volumeId.slice(4)}`.toUpperCase();
}
