import type { Layout, LayoutFileSystem, RaidLevel } from '../contract/layout.ts';
import { deviceUses, fileSystemOf, type LayoutDevice, layoutDevices } from '../machine/layout-devices.ts';
import type { LayoutNeeds } from './layout-solution.ts';

const mebibyte = 1024 ** 2;
export const usualExtent = 4 * mebibyte;

/** Bytes below which mkfs refuses (xfsprogs 6: 300 MiB; btrfs-progs: 109 MiB), or what is there could not be used. */
const leastFileSystems: Readonly<Record<LayoutFileSystem['type'], number>> = {
  ...{ ext2: 8 * mebibyte, ext3: 16 * mebibyte, ext4: 16 * mebibyte, xfs: 300 * mebibyte, btrfs: 128 * mebibyte },
  ...{ f2fs: 64 * mebibyte, vfat: 34 * mebibyte, exfat: 8 * mebibyte, ntfs: 8 * mebibyte },
};
/** FAT32 has at least 65,525 clusters, which are no smaller than a sector. */
const leastFat4096 = 260 * mebibyte;

/** Disks of an array that hold content, its members being so many. */
export function contentMembers(level: RaidLevel, members: number): number {
  return { 0: members, 1: 1, 5: members - 1, 6: members - 2, 10: members / 2 }[level];
}

/**
 * Bytes of a member that mdadm keeps for itself: superblock, bitmap, and the room before the data by which an array can be reshaped, which
 * is about a thousandth of it, 128 MiB at most (mdadm, super1.c).
 */
export function memberOverhead(size: number): number {
  return Math.min(132 * mebibyte, wholeMebibytes(size / 1000) + 2 * mebibyte);
}

/** Of LUKS2 (cryptsetup(8)): 16 MiB; of LUKS1: 2 MiB. */
export function cryptOverhead(version: '1' | '2' | undefined): number {
  return (version === '1' ? 2 : 16) * mebibyte;
}

/** Metadata of a thin pool, and the spare copy of it (lvmthin(7)): for chunks of 64 KiB about a five-hundredth each. */
export function poolOverhead(size: number): number {
  return 2 * Math.max(4 * mebibyte, wholeMebibytes(size / 500));
}

/**
 * Bytes that each device of a layout must have at least, for what is to lie on it, however many layers below.
 *
 * @param count partitions that stand for a name of the layout
 */
export function leastSizes(
  layout: Layout,
  needs: LayoutNeeds,
  count: (ref: string) => number,
): (ref: string, sectorSize: number) => number {
  const devices = new Map(layoutDevices(layout).map((device) => [device.ref, device]));
  const uses = deviceUses(layout);
  const least = (ref: string, sectorSize: number): number => {
    const device = devices.get(ref);
    if (device === undefined) return 0;
    return Math.max(said(device), content(device, sectorSize));
  };
  const content = (device: LayoutDevice, sectorSize: number): number => {
    const use = uses.find(({ ref }) => ref === device.ref);
    const [made = ''] = use?.makes ?? [];
    const above = use === undefined ? undefined : devices.get(made);
    if (use === undefined) return ownContent(device, needs, sectorSize);
    if (above?.kind === 'raid') {
      const { members, level } = above.raid;
      const there = members.reduce((sum, ref) => sum + count(ref), 0);
      const each = Math.ceil(least(made, sectorSize) / Math.max(1, contentMembers(level, there)));
      return wholeMebibytes(each + memberOverhead(each));
    }
    if (above?.kind === 'crypt') return wholeMebibytes(least(made, sectorSize) + cryptOverhead(above.crypt.version));
    const group = layout.volumeGroups.find(({ physicalVolumes }) => physicalVolumes.includes(device.ref));
    if (group === undefined) return mebibyte;
    const extent = group.extent ?? usualExtent;
    const sum = group.volumes.reduce(
      (bytes, { name }) => bytes + wholeUnits(least(`${group.name}/${name}`, sectorSize), extent),
      0,
    );
    const there = group.physicalVolumes.reduce((total, ref) => total + count(ref), 0);
    // Several need not be equal: whether they suffice together is seen when they are there.
    return there === 1 ? wholeMebibytes(sum + mebibyte) + wholeUnits(1, extent) : 64 * mebibyte;
  };
  return (ref, sectorSize) => wholeMebibytes(least(ref, sectorSize));
}

function said(device: LayoutDevice): number {
  if (device.kind === 'partition') return device.partition.size ?? device.partition.min ?? 0;
  if (device.kind !== 'volume') return 0;
  const { size, min, pool, thinPool } = device.volume;
  // A thin volume takes what is written to it, which is its pool's.
  if (pool !== undefined) return 0;
  const bytes = size ?? min ?? 0;
  return thinPool ? bytes + poolOverhead(bytes) : bytes;
}

/** What lies on a device itself. */
function ownContent(device: LayoutDevice, needs: LayoutNeeds, sectorSize: number): number {
  const { role } = device;
  if (device.kind === 'volume' && device.volume.pool !== undefined) return 0;
  if (role === 'bios-boot' || role === 'swap') return mebibyte;
  const made = fileSystemOf(device);
  if (made === undefined) return mebibyte;
  const mounts = [made.mount, ...made.subvolumes.map(({ mount }) => mount)].filter((mount) => mount !== undefined);
  const below = mounts.reduce((sum, mount) => sum + (needs.mounts.get(mount) ?? 0), 0);
  const system = role === 'root' || role === 'slot' ? needs.system : role === 'host' ? needs.host : 0;
  const floor = made.type === 'vfat' && sectorSize > 512 ? leastFat4096 : leastFileSystems[made.type];
  return Math.max(floor, system + below);
}

export function wholeMebibytes(bytes: number): number {
  return wholeUnits(bytes, mebibyte);
}

export function wholeUnits(bytes: number, unit: number): number {
  return Math.ceil(bytes / unit) * unit;
}
