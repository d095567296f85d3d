import type { VersionStats } from '../contract/image.ts';

const mebibyte = 1024 ** 2;
const gibibyte = 1024 ** 3;

/** Slots of the layout `slots` where nobody says how many. */
export const usualSlots = 2;
export const mostSlots = 8;
/** Those of the layout `multi`: two systems, and two that are spare. */
export const usualSystems = 4;
/** Bytes above which a slot of it takes nothing from what all systems share. */
export const largestSystem = 32 * gibibyte;

export interface DiskSize {
  /** Bytes. */
  size: number;
  sectorSize: number;
}

/** Of a version what its room depends on. */
export type Content = Pick<VersionStats, 'contentBytes' | 'entries'>;

/** Bytes of the small partitions in front of the rest. */
export interface BootSpace {
  biosBoot: number;
  esp: number;
  /** The boot partition: kernels, initial RAM disks and GRUB. */
  boot: number;
}

/**
 * Sizes of the partitions that firmware and GRUB read. The ESP is made smaller on small disks, but not where sectors of 4 KiB
 * make 256 MiB the least that FAT32 allows.
 */
export function bootSpace(disk: DiskSize): BootSpace {
  const esp = disk.size >= 16 * gibibyte || disk.sectorSize > 512 ? 512 : disk.size >= 4 * gibibyte ? 256 : 64;
  const boot = disk.size >= 6 * gibibyte ? 512 : 256;
  return { biosBoot: mebibyte, esp: esp * mebibyte, boot: boot * mebibyte };
}

/** Bytes of the boot partition where each of `slots` may hold another system, and an update brings a kernel more. */
export function systemsBootSpace(slots: number): number {
  return Math.max(512, 128 * (slots + 1)) * mebibyte;
}

/**
 * Bytes that a root must have: the content, each entry's share of a block and an inode, what the file system keeps for itself
 * (journal, tables, reserve: a tenth), the agent with its Node, and room to boot and log.
 */
export function rootSpace(stats: Content): number {
  const raw = stats.contentBytes * 1.1 + stats.entries * 2304 + (256 + 192) * mebibyte;
  return wholeMebibytes(raw);
}

/** Of a host partition: what its file system keeps for itself, at most, and what is left for `data` beside the images. */
const hostOverhead = 0.04;
const hostReserve = 128 * mebibyte;
/** The one that runs and the one that is filled; a third stays from the update before while there is room. */
const leastImages = 2;

/** Bytes that a host partition must have. */
export function hostSpace(stats: Content): number {
  return wholeMebibytes((leastImages * rootSpace(stats) + hostReserve) / (1 - hostOverhead));
}

/**
 * Bytes of each image file on a host partition of `host` bytes: a third of what it can hold, so that the running one, the one before and
 * the next have room, but no more than four times what the version needs; never less than it needs.
 */
export function imageSpace(stats: Content, host: number): number {
  const need = rootSpace(stats);
  const room = host * (1 - hostOverhead) - hostReserve;
  const third = Math.floor(room / 3 / mebibyte) * mebibyte;
  return Math.max(need, Math.min(third, Math.max(4 * need, 8 * gibibyte)));
}

function wholeMebibytes(bytes: number): number {
  return Math.ceil(bytes / mebibyte) * mebibyte;
}
