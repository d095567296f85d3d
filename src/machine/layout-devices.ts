import type {
  Layout,
  LayoutCrypt,
  LayoutDisk,
  LayoutFileSystem,
  LayoutGroup,
  LayoutPartition,
  LayoutRaid,
  LayoutRole,
  LayoutVolume,
} from '../contract/layout.ts';
import type { YamlPath } from './yaml-text.ts';

interface DeviceBase {
  /** As other parts of the layout name it: `name`, or of a volume `GROUP/name`. */
  ref: string;
  /** Where it stands in the layout. */
  path: YamlPath;
  role?: LayoutRole | undefined;
  fileSystem?: LayoutFileSystem | undefined;
}

/** Anything of a layout that can hold a file system, or be a part of something. */
export type LayoutDevice =
  | (DeviceBase & { kind: 'partition'; disk: LayoutDisk; partition: LayoutPartition })
  | (DeviceBase & { kind: 'raid'; raid: LayoutRaid })
  | (DeviceBase & { kind: 'crypt'; crypt: LayoutCrypt })
  | (DeviceBase & { kind: 'volume'; group: LayoutGroup; volume: LayoutVolume });

/** One part of a layout that takes a device as a whole. */
export interface DeviceUse {
  /** What is taken. */
  ref: string;
  /** In words: `the RAID system`. */
  by: string;
  /** Devices that come to be of it; of a volume group, its volumes. */
  makes: string[];
  /** Where it is said. */
  path: YamlPath;
}

/** Every device of a layout, disks first. */
export function layoutDevices(layout: Layout): LayoutDevice[] {
  return [
    ...layout.disks.flatMap((disk, index) =>
      disk.partitions.map((partition, number) => ({
        ...{ kind: 'partition' as const, ref: partition.name, path: ['disks', index, 'partitions', number] },
        ...{ role: partition.role, fileSystem: partition.fileSystem, disk, partition },
      })),
    ),
    ...layout.raids.map((raid, index) => ({
      ...{ kind: 'raid' as const, ref: raid.name, path: ['raids', index] },
      ...{ role: raid.role, fileSystem: raid.fileSystem, raid },
    })),
    ...layout.crypts.map((crypt, index) => ({
      ...{ kind: 'crypt' as const, ref: crypt.name, path: ['crypts', index] },
      ...{ role: crypt.role, fileSystem: crypt.fileSystem, crypt },
    })),
    ...layout.volumeGroups.flatMap((group, index) =>
      group.volumes.map((volume, number) => ({
        ...{ kind: 'volume' as const, ref: `${group.name}/${volume.name}` },
        path: ['volumeGroups', index, 'volumes', number],
        ...{ role: volume.role, fileSystem: volume.fileSystem, group, volume },
      })),
    ),
  ];
}

/** What takes which device, in the order of the layout. */
export function deviceUses(layout: Layout): DeviceUse[] {
  return [
    ...layout.raids.flatMap(({ name, members, spares }, index) =>
      [...members.entries(), ...spares.entries()].map(([number, ref], position) => ({
        ...{ ref, by: `the RAID ${name}`, makes: [name] },
        path: ['raids', index, position < members.length ? 'members' : 'spares', number],
      })),
    ),
    ...layout.crypts.map(({ name, device }, index) => ({
      ...{ ref: device, by: `the encrypted device ${name}`, makes: [name], path: ['crypts', index, 'device'] },
    })),
    ...layout.volumeGroups.flatMap(({ name, physicalVolumes, volumes }, index) =>
      physicalVolumes.map((ref, number) => ({
        ...{ ref, by: `the volume group ${name}`, makes: volumes.map((volume) => `${name}/${volume.name}`) },
        path: ['volumeGroups', index, 'physicalVolumes', number],
      })),
    ),
  ];
}

/** What must be there before init starts: the roots of systems, and `/usr`, which initial RAM disks mount, too. */
export function isMountedEarly({ role, fileSystem }: Pick<DeviceBase, 'role' | 'fileSystem'>): boolean {
  if (role === 'root' || role === 'slot' || role === 'host') return true;
  return fileSystem?.mount === '/usr' || (fileSystem?.subvolumes?.some(({ mount }) => mount === '/usr') ?? false);
}

/** The file system that a device gets, with what its role says where the layout is silent; undefined: none. */
export function fileSystemOf(device: Pick<DeviceBase, 'role' | 'fileSystem'>): LayoutFileSystem | undefined {
  const { role, fileSystem } = device;
  const usual = role === undefined ? undefined : roleFileSystems[role];
  if (fileSystem === undefined && usual === undefined) return undefined;
  const { type = 'ext4', subvolumes = [], ...more } = { ...usual, ...fileSystem };
  // With subvolumes it is them that are mounted.
  const mount = fileSystem?.mount ?? (subvolumes.some((each) => each.mount !== undefined) ? undefined : usual?.mount);
  const { mount: _usual, ...rest } = more;
  return { ...rest, type, subvolumes, ...(mount === undefined ? {} : { mount }) };
}

const roleFileSystems: { readonly [Role in LayoutRole]?: Partial<LayoutFileSystem> } = {
  esp: { type: 'vfat', label: 'EFI-BOOT', mount: '/boot/efi' },
  boot: { type: 'ext4', label: 'IMPRINT-BOOT' },
  root: { type: 'ext4', mount: '/' },
  slot: { type: 'ext4' },
  host: { type: 'ext4', label: 'hostpart', mount: '/hostpart' },
  data: { type: 'ext4' },
  share: { type: 'ext4', mount: '/share' },
  home: { type: 'ext4', mount: '/home' },
};
