import type { SourceFacts } from '../contract/image.ts';
import type { SourceStorage, StorageDevice } from '../contract/storage.ts';
import { deviceOf } from '../machine/fstab-entries.ts';

type SourceDisk = SourceFacts['disks'][number];
type SourcePartition = SourceDisk['partitions'][number];

/** One place where a file system of the golden machine is mounted, or swap. */
export interface GoldenMount {
  /** `none` for swap. */
  mountPoint: string;
  type: string;
  /** Without `defaults` and what names a subvolume. */
  options: string[];
  subvolume?: string;
  /** Bytes in use. */
  used?: number;
}

/** A partition of the golden machine with the device that the kernel has for it. */
export interface GoldenPartition {
  partition: SourcePartition;
  device: StorageDevice;
}

/** The golden machine's storage, with ways to go up and down in it. */
export class GoldenStack {
  readonly storage: SourceStorage;
  readonly #facts: SourceFacts;
  readonly #mounts: Map<string, GoldenMount[]>;

  constructor(facts: SourceFacts) {
    this.#facts = facts;
    this.storage = withVolumes(facts.storage ?? storageOfOlder(facts));
    this.#mounts = this.#findMounts();
  }

  /** Fixed disks with a table, in the order of their names. */
  get disks(): SourceDisk[] {
    return this.#facts.disks.filter(({ name }) => this.device(name)?.removable !== true);
  }

  device(name: string): StorageDevice | undefined {
    return this.storage.devices.find((device) => device.name === name);
  }

  /** What lies directly on a device. */
  above(name: string): StorageDevice[] {
    return this.storage.devices.filter(({ on }) => on.includes(name));
  }

  /** Those of a disk; of one without a table the disk itself, where something lies on it. */
  partitions(disk: SourceDisk): GoldenPartition[] {
    const whole = this.device(disk.name);
    const used =
      whole !== undefined && (whole.fileSystem ?? this.mounts(disk.name)[0] ?? this.above(disk.name)[0]) !== undefined;
    if (disk.partitions.length === 0 && used) {
      return [{ partition: { number: 0, start: 0, size: disk.size, type: '' }, device: whole }];
    }
    return disk.partitions.map((partition) => {
      const name = partitionName(disk.name, partition.number);
      const device = this.device(name);
      const bare = { name, path: `/dev/${name}`, type: 'part', size: partition.size, on: [disk.name], mountPoints: [] };
      const { fileSystem, name: title } = partition;
      return {
        partition,
        device: device ?? { ...bare, ...(fileSystem && { fileSystem }), ...(title && { partitionName: title }) },
      };
    });
  }

  mounts(name: string): GoldenMount[] {
    return this.#mounts.get(name) ?? [];
  }

  #findMounts(): Map<string, GoldenMount[]> {
    const found = new Map<string, GoldenMount[]>();
    const add = (device: StorageDevice | undefined, mount: GoldenMount) => {
      if (device === undefined) return;
      const there = found.get(device.name) ?? [];
      if (there.some(({ mountPoint }) => mountPoint === mount.mountPoint)) return;
      found.set(device.name, [...there, mount]);
    };
    const usedAt = (mountPoint: string) => {
      const used = this.#facts.fileSystems.find((each) => each.mountPoint === mountPoint)?.used;
      return used === undefined ? {} : { used };
    };
    for (const { spec, mountPoint, type, options } of this.storage.mounts) {
      if (options.includes('noauto') && type !== 'swap') continue;
      const device = this.#named(spec);
      add(device, {
        ...{ mountPoint: type === 'swap' ? 'none' : mountPoint, type, options: plainOptions(options) },
        ...subvolumeOf(options),
        ...usedAt(mountPoint),
      });
    }
    // What is mounted and stands in no fstab: found by systemd, or by hand.
    for (const { mountPoint, type, device, used, options } of this.#facts.fileSystems) {
      const known = this.storage.devices.find(({ path }) => path === device);
      const said = subvolumeOf((options ?? '').split(','));
      add(known, { mountPoint, type, options: [], ...said, ...(used === undefined ? {} : { used }) });
    }
    for (const device of this.storage.devices) {
      if (device.fileSystem === 'swap' && device.mountPoints.includes('[SWAP]')) {
        add(device, { mountPoint: 'none', type: 'swap', options: [] });
      }
    }
    return found;
  }

  /** The device that a line of fstab means. */
  #named(spec: string): StorageDevice | undefined {
    const name = deviceOf(spec);
    const { devices, arrays } = this.storage;
    if (name === undefined) return undefined;
    const { kind, value } = name;
    const same = (text: string | undefined) => text?.toLowerCase() === value.toLowerCase();
    switch (kind) {
      case 'uuid':
        // Members of an array carry the array's; the file system lies highest.
        return devices.findLast(({ uuid, fileSystem }) => same(uuid) && !fileSystem?.endsWith('_member'));
      case 'label':
        return devices.findLast(({ label, fileSystem }) => label === value && !fileSystem?.endsWith('_member'));
      case 'partition-uuid':
        return devices.find(({ partitionUuid }) => same(partitionUuid));
      case 'partition-label':
        return devices.find(({ partitionName: title }) => title === value);
      case 'path': {
        const [, group, volume] = /^\/dev\/([^/]+)\/([^/]+)$/.exec(value) ?? [];
        const array = arrays.find(({ title }) => group === 'md' && title === volume)?.name;
        const mapped = `${mapperPart(group ?? '')}-${mapperPart(volume ?? '')}`;
        return devices.find(
          (each) => each.path === value || each.name === array || (group !== undefined && each.name === mapped),
        );
      }
    }
  }
}

/** Where LVM itself could not be asked, the mapper's names still tell its groups and volumes. */
function withVolumes(storage: SourceStorage): SourceStorage {
  if (storage.groups.length > 0) return storage;
  const volumes = storage.devices.flatMap(({ name, type, size }) => {
    const [, group, volume] = /^((?:[^-]|--)+)-((?:[^-]|--)+)$/.exec(name) ?? [];
    if (
      type !== 'lvm' ||
      group === undefined ||
      volume === undefined ||
      /_(tdata|tmeta|rimage_\d+|rmeta_\d+)$|-tpool$/.test(name)
    )
      return [];
    return [{ group: group.replaceAll('--', '-'), name: volume.replaceAll('--', '-'), size, kind: 'linear' }];
  });
  const groups = [...new Set(volumes.map(({ group }) => group))].map((name) => {
    const size = volumes.filter(({ group }) => group === name).reduce((sum, each) => sum + each.size, 0);
    return { name, extent: 0, size, free: 0 };
  });
  return { ...storage, groups, volumes };
}

/** `nvme0n1` 2 → `nvme0n1p2`. */
function partitionName(disk: string, number: number): string {
  return /\d$/.test(disk) ? `${disk}p${number}` : `${disk}${number}`;
}

/** The device mapper doubles the dashes within names. */
export function mapperPart(name: string): string {
  return name.replaceAll('-', '--');
}

function subvolumeOf(options: readonly string[]): { subvolume?: string } {
  const said = options.map((option) => /^subvol=\/?(.+)$/.exec(option)?.[1]).find((name) => name !== undefined);
  return said === undefined ? {} : { subvolume: said };
}

function plainOptions(options: readonly string[]): string[] {
  return options.filter((option) => option !== 'defaults' && option !== 'sw' && !/^subvol(id)?=/.test(option));
}

/** What can be known of records that were made before storage was recorded: partitions and what was mounted. */
function storageOfOlder({ disks }: SourceFacts): SourceStorage {
  const devices = disks.flatMap((disk): StorageDevice[] => [
    { name: disk.name, path: `/dev/${disk.name}`, type: 'disk', size: disk.size, on: [], mountPoints: [] },
    ...disk.partitions.map((partition) => {
      const name = partitionName(disk.name, partition.number);
      return {
        ...{ name, path: `/dev/${name}`, type: 'part', size: partition.size, on: [disk.name] },
        ...(partition.fileSystem === undefined ? {} : { fileSystem: partition.fileSystem }),
        ...(partition.name === undefined ? {} : { partitionName: partition.name }),
        mountPoints: partition.mountPoint === undefined ? [] : [partition.mountPoint],
      };
    }),
  ]);
  return { devices, arrays: [], groups: [], volumes: [], crypts: [], mounts: [], swapFiles: [] };
}
