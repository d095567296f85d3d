import { ImprintError, toImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { recogniseBootCode } from '../../machine/boot-code.ts';
import { parseInstalledLayout } from '../../machine/boot-records.ts';
import { type DiskStructure, isEsp, readDiskStructure, type StructurePartition } from '../../machine/disk-structure.ts';
import {
  classifySystems,
  type EfiLoader,
  type FoundSystem,
  type PartitionView,
  rootPlaces,
  soughtPaths,
  unstartable,
} from '../../machine/found-systems.ts';
import { bootPartitionPaths, partitionLabels } from '../../machine/installed-layout.ts';
import { isExtended } from '../../machine/mbr.ts';
import { compareVersions } from '../../machine/version-order.ts';
import { BootDisk } from '../../system/boot-disk.ts';
import { type GrubPlace, grubList, grubRead } from '../../system/grub-view.ts';
import type { Processes } from '../../system/run.ts';
import { fatAt, probeContent } from './scan-boot.ts';

export interface FoundDisks {
  systems: FoundSystem[];
  /** Partitions that may hold systems and could not be looked into, in words. */
  closed: string[];
  /** The boot partition of Imprint on these disks: where it is, and its file system. */
  boot?: { disk: string; device?: string; uuid: string; menu: string };
}

/** Ours: their entries are in the menu already. */
const own: readonly string[] = [partitionLabels.boot, partitionLabels.host];
/** What GRUB has no driver for, or that is part of something larger. */
const closedTypes = /^(LVM2_member|linux_raid_member|crypto_LUKS|BitLocker|zfs_member|bcache)$/;

/**
 * Every system on these disks or disk images, whoever installed it, but for those that Imprint boots itself. Nothing is mounted or written.
 * Errors: `boot-partition-missing` where two disks have one, `boot-disk-unknown`, `not-root`, `tool-missing`, `process-failed`, `io-failed`, `interrupted`.
 */
export async function findSystems(processes: Processes, paths: readonly string[], task: Task): Promise<FoundDisks> {
  const seen: Seen = { views: [], loaders: [], slots: new Set(), active: new Set(), closed: [], boots: [] };
  for (const path of paths) {
    try {
      await lookAtDisk(processes, path, seen, task);
    } catch (thrown) {
      const error = toImprintError(thrown);
      const ofAll = ['interrupted', 'not-root', 'tool-missing'].includes(error.code);
      // A disk that cannot be read must not keep the others out of the menu.
      if (ofAll || paths.length === 1) throw error;
      seen.closed.push(`${path} is not looked into: ${error.message}`);
    }
  }
  const [boot, another] = seen.boots;
  if (boot !== undefined && another !== undefined) {
    const problem = `${boot.disk} and ${another.disk} both have one; name the disk that starts: --disk`;
    throw new ImprintError('boot-partition-missing', { problem });
  }
  const others = seen.views.filter(({ content }) => !seen.slots.has(content?.uuid ?? ''));
  const systems = classifySystems(others, seen.loaders);
  return {
    systems,
    closed: [...seen.closed, ...unstartable(others, systems, seen.active)],
    ...(boot === undefined ? {} : { boot }),
  };
}

interface Seen {
  views: PartitionView[];
  loaders: EfiLoader[];
  /** File systems that Imprint boots itself. */
  slots: Set<string>;
  /** `DISK NUMBER` of what an MBR marks so. */
  active: Set<string>;
  closed: string[];
  boots: NonNullable<FoundDisks['boot']>[];
}

async function lookAtDisk(processes: Processes, path: string, seen: Seen, task: Task): Promise<void> {
  using disk = await BootDisk.open(processes, path, 'read');
  const structure = readDiskStructure((offset, length) => disk.read(offset, length), disk.size, disk.sectorSize);
  const devices = new Map((await disk.kernelPartitions()).map(({ number, device }) => [number, device]));
  for (const partition of structure.partitions) {
    task.signal.throwIfAborted();
    if (partition.type.length === 2 && isExtended(Number.parseInt(partition.type, 16))) continue;
    const content = await probeContent(processes, disk, partition, task.signal);
    const device = devices.get(partition.number);
    const place = placeOf(disk, structure, partition, device);
    if (content?.label === partitionLabels.boot && content.uuid !== undefined && place !== undefined) {
      const menu = (await grubRead(processes, place, `/${bootPartitionPaths.systems}`)) ?? '';
      seen.boots.push({ disk: disk.path, uuid: content.uuid, menu, ...(device === undefined ? {} : { device }) });
      const layout = parseInstalledLayout((await grubRead(processes, place, `/${bootPartitionPaths.layout}`)) ?? '');
      for (const { uuid } of layout?.slots ?? []) seen.slots.add(uuid);
    }
    if (own.includes(content?.label ?? '')) continue;
    if (partition.active === true) seen.active.add(`${disk.path} ${partition.number}`);
    if (closedTypes.test(content?.type ?? '')) {
      const words = `partition ${partition.number} of ${disk.path} is ${content?.type}: what is in it is not looked for`;
      seen.closed.push(words);
    }
    if (isEsp(partition) && content?.uuid !== undefined) seen.loaders.push(...loadersOn(disk, partition, content.uuid));
    seen.views.push(await viewOf(processes, disk, partition, content, place));
  }
}

function loadersOn(disk: BootDisk, partition: StructurePartition, esp: string): EfiLoader[] {
  const entries = fatAt(disk, partition)?.entries ?? [];
  return entries
    .filter(({ path, directory }) => !directory && /^efi\/[^/]+\/(.*\/)?[^/]+\.efi$/i.test(path))
    .map(({ path }) => ({ esp, path: `/${path}` }));
}

/** On sectors of 4 KiB only a partition's own device can be read so. */
function placeOf(
  disk: BootDisk,
  { label, sectorSize }: DiskStructure,
  { number }: StructurePartition,
  device: string | undefined,
): GrubPlace | undefined {
  if (device !== undefined) return { path: device, device: '(loop0)' };
  if (sectorSize !== 512) return undefined;
  return { path: disk.path, device: `(loop0,${label === 'gpt' ? 'gpt' : 'msdos'}${number})` };
}

async function viewOf(
  processes: Processes,
  disk: BootDisk,
  { number, type, uuid, start }: StructurePartition,
  content: PartitionView['content'],
  place: GrubPlace | undefined,
): Promise<PartitionView> {
  const sector = disk.read(start, 512);
  const view = {
    ...{ disk: disk.path, number, type, content },
    ...(uuid === undefined ? {} : { partitionUuid: uuid }),
    code: recogniseBootCode(sector),
    marked: sector.length === 512 && sector.readUInt16LE(510) === 0xaa55,
  };
  const nothing = { ...view, there: new Set<string>(), root: '' };
  if (place === undefined || content === undefined || closedTypes.test(content.type) || content.type === 'swap')
    return nothing;
  for (const root of content.type === 'btrfs' ? rootPlaces.btrfs : rootPlaces.other) {
    const there = await lookFor(processes, place, root);
    const release =
      (await grubRead(processes, place, `${root}/etc/os-release`)) ??
      (await grubRead(processes, place, `${root}/usr/lib/os-release`));
    const kernel = await newestKernel(processes, place, root);
    if (there.size === 0 && release === undefined && kernel === undefined) continue;
    return {
      ...view,
      there,
      root,
      ...(release === undefined ? {} : { release }),
      ...(kernel === undefined ? {} : { kernel }),
    };
  }
  return nothing;
}

/** Which of the sought paths are there. Case counts for nothing: NTFS and FAT know none. */
async function lookFor(processes: Processes, place: GrubPlace, root: string): Promise<Set<string>> {
  const there = new Set<string>();
  const directories = Map.groupBy(soughtPaths, (path) => path.replace(/\/[^/]*$/, ''));
  for (const [directory, paths] of directories) {
    const names = new Set((await grubList(processes, place, `${root}${directory}`)).map((name) => name.toLowerCase()));
    for (const path of paths) if (names.has(path.slice(directory.length + 1).toLowerCase())) there.add(path);
  }
  return there;
}

async function newestKernel(processes: Processes, place: GrubPlace, root: string): Promise<PartitionView['kernel']> {
  const names = await grubList(processes, place, `${root}/boot`);
  const versions = names
    .filter((name) => /^vmlinuz-.+/.test(name) && !name.includes('rescue'))
    .map((name) => name.slice(8));
  const version = versions.sort(compareVersions).at(-1);
  if (version === undefined) return undefined;
  const initrd = [`initrd.img-${version}`, `initramfs-${version}.img`, `initrd-${version}`].find((name) =>
    names.includes(name),
  );
  const at = (name: string) => `${root}/boot/${name}`;
  return { kernel: at(`vmlinuz-${version}`), ...(initrd === undefined ? {} : { initrd: at(initrd) }) };
}
