import type { SourceFacts } from '../contract/image.ts';
import type { DeviceName, FstabEntry } from './fstab-entries.ts';

/** A partition of a disk image beside those that only firmware reads. */
export interface ImagePartition {
  kind: 'root' | 'data' | 'fat' | 'swap';
  /** Relative to the root of the version, which is the empty path; absent for swap. */
  mountPoint?: string;
  /** A UUID; of FAT 8 hexadecimal digits. */
  uuid: string;
  label?: string;
  partitionUuid: string;
  partitionName: string;
  /** Bytes, where the version says so. */
  size?: number;
  /** Of FAT: how it is mounted, which decides about owners and modes. */
  options?: readonly string[];
}

export interface ImageLayout {
  /** The root comes last, so that it can grow. */
  partitions: ImagePartition[];
  /** For the user: what of fstab the disk does not have. */
  notes: string[];
}

export type LayoutAnswer = { kind: 'layout'; layout: ImageLayout } | { kind: 'refused'; problem: string; hint: string };

/** Makes names that are the same each time: a UUID (version 8) for each role. */
export type NameMaker = (role: string) => string;

const uuidForm = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
const fatForm = /^[0-9a-f]{4}-?[0-9a-f]{4}$/i;
const extTypes = /^(ext[234]|auto)$/;
const fatTypes = /^(vfat|msdos)$/;
const swapDefault = 512 * 2 ** 20;

/**
 * The partitions that a version's own fstab asks for, so that the disk boots with the tree as it is: each file system gets the UUID, label,
 * partition UUID or partition label by which fstab looks for it. Pure.
 *
 * @param isDirectory whether the version has a directory at this (relative) path
 */
export function layOutImage(
  fstab: readonly FstabEntry[],
  facts: Pick<SourceFacts, 'fileSystems' | 'disks'>,
  names: NameMaker,
  isDirectory: (path: string) => boolean,
): LayoutAnswer {
  const notes: string[] = [];
  const partitions: ImagePartition[] = [];
  const rootEntry = fstab.findLast((entry) => entry.mountPoint === '/');
  for (const entry of fstab) {
    const { device, mountPoint, type, options } = entry;
    if (device === undefined || mountPoint === '/') continue;
    const where = type === 'swap' ? 'swap' : mountPoint;
    const path = mountPoint.slice(1);
    if (options.includes('noauto') || isOptical(device)) continue;
    if (device.kind === 'path') {
      notes.push(`fstab names ${where} by its device, ${device.value}: the disk does not have it`);
    } else if (type === 'swap') {
      partitions.push({ ...named('swap', device, names, where), size: swapSize(facts) });
    } else if (!isDirectory(path)) {
      notes.push(`${mountPoint} is no directory of the version: the disk does not have what fstab mounts there`);
    } else if (fatTypes.test(type)) {
      partitions.push({ ...named('fat', device, names, where), mountPoint: path, options });
    } else if (extTypes.test(type) && type !== 'ext2' && type !== 'ext3') {
      partitions.push({ ...named('data', device, names, where), mountPoint: path });
    } else if (options.includes('nofail')) {
      notes.push(`${mountPoint} is ${type}, which is not made: its content lies on the root`);
    } else {
      return {
        kind: 'refused',
        problem: `its fstab mounts ${mountPoint} as ${type}, and only ext4 and FAT can be made the same each time`,
        hint: 'Take the line out of a copy of the version (imprint edit), or export a tar.',
      };
    }
  }
  if (rootEntry !== undefined && !extTypes.test(rootEntry.type)) {
    notes.push(`fstab says that / is ${rootEntry.type}; on this disk it is ext4`);
  }
  partitions.push(rootPartition(rootEntry, facts, names, notes));
  const problem = clash(partitions);
  if (problem !== undefined) {
    return { kind: 'refused', problem, hint: 'Mend etc/fstab in a copy of the version (imprint edit).' };
  }
  return { kind: 'layout', layout: { partitions, notes } };
}

function rootPartition(
  entry: FstabEntry | undefined,
  facts: Pick<SourceFacts, 'fileSystems'>,
  names: NameMaker,
  notes: string[],
): ImagePartition {
  const known = facts.fileSystems.find(({ mountPoint }) => mountPoint === '/')?.uuid;
  const device = entry?.device ?? { kind: 'path' as const, value: '' };
  if (device.kind === 'path' && device.value !== '') {
    notes.push(`fstab names / by its device, ${device.value}: the kernel is told the right one`);
  }
  const root = named('root', device, names, 'root');
  const wanted = device.kind === 'uuid' ? device.value : known;
  const uuid = wanted !== undefined && uuidForm.test(wanted) ? wanted.toLowerCase() : names('root');
  return { ...root, uuid, mountPoint: '' };
}

/** A partition that is found by what fstab calls it; all its other names are made up. */
function named(kind: ImagePartition['kind'], device: DeviceName, names: NameMaker, where: string): ImagePartition {
  const { value } = device;
  const made = names(where);
  const own = kind === 'fat' ? made.slice(0, 8) : made;
  const good = kind === 'fat' ? fatForm : uuidForm;
  return {
    kind,
    uuid: device.kind === 'uuid' && good.test(value) ? uuidOf(kind, value) : own,
    ...(device.kind === 'label' ? { label: value } : {}),
    partitionUuid:
      device.kind === 'partition-uuid' && uuidForm.test(value) ? value.toLowerCase() : names(`partition ${where}`),
    partitionName:
      device.kind === 'partition-label' ? value : where === 'root' || where === 'swap' ? where : where.slice(1),
  };
}

function uuidOf(kind: ImagePartition['kind'], value: string): string {
  return kind === 'fat' ? value.replace('-', '').toLowerCase() : value.toLowerCase();
}

function clash(partitions: readonly ImagePartition[]): string | undefined {
  const seen = new Set<string>();
  for (const { uuid, mountPoint } of partitions) {
    if (seen.has(uuid))
      return `its fstab mounts several places from one file system (UUID ${uuid}), as btrfs subvolumes are`;
    seen.add(uuid);
    if (mountPoint !== undefined && mountPoint !== '') {
      if (seen.has(`/${mountPoint}`)) return `its fstab mounts /${mountPoint} twice`;
      seen.add(`/${mountPoint}`);
    }
  }
  return undefined;
}

/** As large as the golden machine's, so far as is known. */
function swapSize({ disks }: Pick<SourceFacts, 'disks'>): number {
  const found = disks.flatMap(({ partitions }) => partitions).find(({ fileSystem }) => fileSystem === 'swap');
  return found?.size ?? swapDefault;
}

function isOptical({ kind, value }: DeviceName): boolean {
  return kind === 'path' && /^\/dev\/(cdrom|dvd|sr\d|fd\d|floppy)/.test(value);
}
