import type { VersionStats } from '../contract/image.ts';

const mebibyte = 1024 ** 2;
const gibibyte = 1024 ** 3;

/** Bytes of the small partitions in front of the root. */
export interface BootSpace {
  biosBoot: number;
  esp: number;
}

/**
 * Sizes of the partitions that firmware reads. The ESP is made smaller on small disks, but not where sectors of 4 KiB
 * make 256 MiB the least that FAT32 allows.
 */
export function bootSpace(disk: { size: number; sectorSize: number }): BootSpace {
  const esp = disk.size >= 16 * gibibyte || disk.sectorSize > 512 ? 512 : disk.size >= 4 * gibibyte ? 256 : 64;
  return { biosBoot: mebibyte, esp: esp * mebibyte };
}

/**
 * Bytes that the root must have: the content, each entry's share of a block and an inode, what the file system keeps for itself
 * (journal, tables, reserve: a tenth), and room to boot and log.
 */
export function rootSpace(stats: Pick<VersionStats, 'contentBytes' | 'entries'>): number {
  const raw = stats.contentBytes * 1.1 + stats.entries * 2304 + 256 * mebibyte;
  // mkfs.xfs makes nothing below 300 MiB.
  return Math.max(Math.ceil(raw / mebibyte) * mebibyte, 320 * mebibyte);
}

/** Bytes that the whole disk must have: boot partitions, swap, root, and both copies of the partition table. */
export function diskSpace(
  stats: Pick<VersionStats, 'contentBytes' | 'entries'>,
  swap: number,
  disk: { size: number; sectorSize: number },
): number {
  const boot = bootSpace(disk);
  return 2 * mebibyte + boot.biosBoot + boot.esp + Math.ceil(swap / mebibyte) * mebibyte + rootSpace(stats);
}
