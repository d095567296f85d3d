import type { RaidLevel } from '../contract/layout.ts';
import { formatBytes } from '../foundation/bytes.ts';
import type { BootRoot } from '../machine/boot-arguments.ts';
import type { BootEntry } from '../machine/boot-pointer.ts';
import type { InstalledMounts } from '../machine/fstab.ts';
import type { BootKernel } from '../machine/image-content.ts';
import type { InstalledLayout } from '../machine/installed-layout.ts';
import { stackFileNames } from '../machine/installed-stack.ts';
import type { InstalledNetwork } from '../machine/network-files.ts';
import { type PartitionTable, partitionName } from '../machine/partition-table.ts';
import type { RootFileSystem } from '../machine/root-file-system.ts';
import type { PlannedScript } from '../machine/scripts.ts';

/** The first entry of a boot partition; its files are taken from the root that was filled. */
export interface FirstEntry extends Pick<BootEntry, 'id' | 'slot' | 'system' | 'reference' | 'digest' | 'title'> {
  /** Absent where the manifest was not read (a dry run). */
  kernel?: BootKernel;
  root: BootRoot;
  /** Kernel options of the image and of the machine, beside those that name the root. */
  options: string[];
}

/** A partition with a file system that goes. */
export interface OldPartition {
  device: string;
  fileSystem: RootFileSystem;
  uuid: string;
}

/**
 * One thing that an install does to a machine: data that can be shown, sent and kept. `operations/install/` does them;
 * a new kind does not compile until it can be described here and done there. Each may be done again from the start.
 */
export type Step =
  /** Before the first write in the imager, or in a chroot of the new system. */
  | {
      kind: 'run-scripts';
      phase: 'pre-install' | 'post-install';
      machine: string;
      scripts: PlannedScript[];
      variables: Record<string, string>;
    }
  /**
   * Holds in memory what the version shares with the system that goes, so that it need not be fetched: `boots` may be its boot partition, `systems` hold its
   * roots or image files. Nothing of them is changed. `most`: bytes of memory; `bytes`: of the whole version.
   */
  | { kind: 'gather-old'; reference: string; boots: string[]; systems: OldPartition[]; most: number; bytes: number }
  /** Those of the first boot, and the unit that runs them. */
  | { kind: 'write-first-boot-scripts'; scripts: PlannedScript[]; variables: Record<string, string> }
  /** Keeps what boots from the disk now where it outlives the install (docs/boot-copies.md). */
  | { kind: 'save-boot'; machine: string; disk: string; to: 'server' | 'medium' }
  /** Takes every signature and boot code off the disk: what was on it can boot no longer. */
  | { kind: 'wipe-disk'; disk: string }
  | { kind: 'partition-disk'; disk: string; table: PartitionTable }
  /** Takes signatures out of these partitions, and the disk's boot code: what was there can boot no longer. All others stay as they are. */
  | { kind: 'clear-partitions'; disk: string; partitions: string[]; kept: string[] }
  /** Takes entries out of a table and adds those that are not kept; no other byte of the table changes. */
  | { kind: 'change-partitions'; disk: string; remove: number[]; table: PartitionTable }
  /** An array; `missing` places stay empty. */
  | {
      kind: 'make-raid';
      name: string;
      device: string;
      level: RaidLevel;
      metadata: string;
      /** As mdadm has it. */
      uuid: string;
      members: string[];
      missing: number;
      spares: string[];
      /** Bytes. */
      chunk?: number;
    }
  /** LUKS; its passphrase is in no plan. `keyFile`: where the system has its key. */
  | { kind: 'make-crypt'; name: string; device: string; on: string; uuid: string; version: '1' | '2'; keyFile?: string }
  | { kind: 'make-group'; name: string; physicalVolumes: string[]; extent: number }
  /** A volume of a group: of these bytes, or of a pool, whose blocks it takes as it is written. */
  | {
      kind: 'make-volume';
      group: string;
      name: string;
      device: string;
      bytes: number;
      thinPool?: true;
      pool?: string;
    }
  | {
      kind: 'make-root';
      device: string;
      /** Of several system partitions. */
      slot?: string;
      fileSystem: RootFileSystem;
      uuid: string;
      /** Inodes wanted, where the file system cannot make them as it goes (ext4). */
      inodes: number;
    }
  /** FAT32; `volumeId` as 8 hexadecimal digits. */
  | { kind: 'make-esp'; device: string; volumeId: string }
  | { kind: 'make-swap'; device: string; uuid: string }
  | { kind: 'mount-root'; device: string; fileSystem: RootFileSystem; subvolume?: string }
  /** Of a btrfs, by their paths below its top. */
  | { kind: 'make-subvolumes'; device: string; subvolumes: string[] }
  | { kind: 'make-swap-file'; path: string; bytes: number; fileSystem: string }
  /** A file system for data, with its label and options for mkfs. */
  | { kind: 'make-data'; device: string; fileSystem: string; uuid: string; label?: string; options: string[] }
  /** Mounts it below the root that is filled: what the version holds there goes into it. `mount` is absolute. */
  | { kind: 'mount-data'; device: string; fileSystem: string; mount: string; subvolume?: string }
  /** Makes a directory of the root that is filled, and mounts it over another of it. */
  | { kind: 'bind-directory'; source: string; mount: string; mode: number }
  /** The host partition, for image files. */
  | { kind: 'make-host'; device: string; fileSystem: RootFileSystem; uuid: string }
  | { kind: 'mount-host'; device: string; fileSystem: RootFileSystem }
  /** A whole file of this many bytes on the host partition, never sparse, with an ext4 in it, which is mounted as the root. */
  | { kind: 'make-image'; path: string; bytes: number; uuid: string; inodes: number }
  | { kind: 'restore'; reference: string; digest: string; bytes: number }
  | { kind: 'write-fstab'; mounts: InstalledMounts }
  /** Keys of encrypted devices, where the system looks for them. */
  | { kind: 'write-crypt-keys'; keys: { name: string; path: string }[] }
  | {
      kind: 'write-identity';
      name: string;
      goldenName?: string;
      machineId: string;
      /** Where the image has an ssh server. */
      sshHostKeys: boolean;
      /** Files that we wrote carry no SELinux label: the first boot shall label them. */
      relabel: boolean;
    }
  /** Its own address, where it has one that no DHCP gives. */
  | { kind: 'write-network'; network: InstalledNetwork }
  /** The agent, what it is told, and what it must know of the version that lies here. */
  | { kind: 'write-agent'; server?: string; order?: string; session?: string; digest: string }
  /** What made the machine itself, kept by the server. `macs`: those that this machine has. */
  | { kind: 'lay-object'; number: number; layout: InstalledLayout; macs: string[]; server?: string }
  /** For an image that cannot run the agent. */
  | { kind: 'write-first-boot'; server: string; order: string; session: string; digest: string }
  /** GRUB's menu, the first entry with its kernel, and the pointer that names it. */
  | { kind: 'write-boot-partition'; device: string; layout: InstalledLayout; entry: FirstEntry }
  /** A copy of the boot partition on another disk, with its own UUID: that disk starts the machine, too. */
  | { kind: 'copy-boot-partition'; from: string; device: string; uuid: string }
  /** Flushes and lets go of the root: from here on it is whole. */
  | { kind: 'unmount-root'; device: string }
  /** The same for an image file, which gets its name. */
  | { kind: 'place-image'; device: string; path: string }
  /** What firmware starts comes last, so that a cut before leaves nothing that boots half a system. */
  | {
      kind: 'install-bios-boot';
      disk: string;
      partition: string;
      /** Of the BIOS boot partition, or of the gap before the first one, in sectors of the disk. */
      start: number;
      size: number;
      /** UUID of the boot partition's file system. */
      bootUuid: string;
      /** Of an MBR `partition` is the disk itself. */
      table?: 'mbr';
    }
  | { kind: 'install-uefi-boot'; device: string; bootUuid: string; table?: 'mbr' }
  /** The version as a root that is in use at once; what is written goes to the partition. `bytes`: of its file system. */
  | {
      kind: 'start-live';
      device: string;
      fileSystem: RootFileSystem;
      uuid: string;
      reference: string;
      digest: string;
      bytes: number;
    }
  /** The system's own init takes the machine over; where it has already, what it wrote into memory goes to the disk. */
  | { kind: 'hand-over'; reference: string; running?: true }
  /** Another host name for a system that runs. */
  | { kind: 'rename-system'; name: string; before: string }
  /** Brings what is not there yet, until the root is the partition alone; `entry` of the boot partition `boot` then starts it. */
  | { kind: 'move-live'; device: string; fileSystem: RootFileSystem; boot: string; entry: string; bytes: number };

export type StepKind = Step['kind'];
export type StepOf<Kind extends StepKind> = Extract<Step, { kind: Kind }>;

/** A step in a few words: for the dry run, the progress, and the journal. */
export function describeStep(step: Step): string {
  return describers[step.kind](step as never);
}

const describers: { readonly [Kind in StepKind]: (step: StepOf<Kind>) => string } = {
  'run-scripts': ({ phase, scripts }) => `run the ${phase} scripts ${describeScripts(scripts)}`,
  'gather-old': ({ reference, most, bytes }) =>
    `take from the old system what ${reference} shares with it, up to ${formatBytes(Math.min(most, bytes))} in memory`,
  'write-first-boot-scripts': ({ scripts }) => `have the first boot run ${describeScripts(scripts)}`,
  'save-boot': ({ disk, to }) =>
    `keep a copy of what boots from ${disk}, ${to === 'server' ? 'at the server' : 'on the medium'}`,
  'wipe-disk': (step) => `erase ${step.disk}`,
  'partition-disk': (step) => `partition ${step.disk}: ${describeTable(step.table)}`,
  'clear-partitions': ({ disk, partitions, kept }) =>
    `erase ${partitions.length === 0 ? `the boot code of ${disk}` : partitions.join(', ')}; ${kept.join(', ')} ${kept.length === 1 ? 'stays' : 'stay'}`,
  'change-partitions': ({ disk, table }) => `partition ${disk}: ${describeTable(table)}`,
  'make-raid': ({ device, level, members, missing, spares }) =>
    `make ${device}, RAID ${level} of ${members.join(', ')}${missing > 0 ? `, ${missing} missing` : ''}${spares.length > 0 ? `, spare ${spares.join(', ')}` : ''}`,
  'make-crypt': ({ device, on, keyFile }) =>
    `encrypt ${on} as ${device}, opened by ${keyFile === undefined ? 'its passphrase' : `the key ${keyFile}`}`,
  'make-group': ({ name, physicalVolumes }) => `make the volume group ${name} of ${physicalVolumes.join(', ')}`,
  'make-volume': ({ device, bytes, thinPool, pool }) =>
    `make ${thinPool ? 'the thin pool ' : ''}${device} of ${formatBytes(bytes)}${pool === undefined ? '' : ` in ${pool}`}`,
  'make-root': (step) =>
    `make ${step.fileSystem} on ${step.device}${step.slot === undefined ? '' : ` (slot ${step.slot})`}`,
  'make-esp': (step) => `make the EFI system partition on ${step.device}`,
  'make-swap': (step) => `make swap on ${step.device}`,
  'mount-root': (step) => `mount ${ofSubvolume(step)}`,
  'make-subvolumes': ({ device, subvolumes }) => `make the subvolumes ${subvolumes.join(', ')} of ${device}`,
  'make-swap-file': ({ path, bytes }) => `make the swap file ${path} of ${formatBytes(bytes)}`,
  'make-data': (step) =>
    `make ${step.fileSystem} on ${step.device}${step.label === undefined ? '' : ` (“${step.label}”)`}`,
  'mount-data': (step) => `mount ${ofSubvolume(step)} on ${step.mount}`,
  'bind-directory': (step) => `bind ${step.source} over ${step.mount}`,
  'make-host': (step) => `make the host partition on ${step.device}: ${step.fileSystem}`,
  'mount-host': (step) => `mount ${step.device}`,
  'make-image': (step) => `make an image file of ${formatBytes(step.bytes)}`,
  restore: (step) => `restore ${step.reference} (${formatBytes(step.bytes)})`,
  'write-fstab': ({ mounts }) => `write ${['/etc/fstab', ...stackFileNames(mounts.stack)].join(', ')}`,
  'write-crypt-keys': ({ keys }) => `write the keys ${keys.map(({ path }) => path).join(', ')}`,
  'write-identity': (step) => `make it ${step.name}: host name, machine-id${step.sshHostKeys ? ', SSH host keys' : ''}`,
  'write-network': ({ network }) => `give it the address ${network.address}/${network.prefix} (${network.mac})`,
  'write-agent': () => 'install the agent',
  'lay-object': (step) => `bring back what made it itself (object ${step.number})`,
  'write-first-boot': () => 'have the first boot report to the server',
  'write-boot-partition': ({ device, entry }) =>
    `write the boot partition ${device}${entry.kernel === undefined ? '' : `: Linux ${entry.kernel.version}`}`,
  'copy-boot-partition': ({ from, device }) => `copy the boot partition ${from} to ${device}`,
  'unmount-root': () => 'write everything out',
  'place-image': () => 'write everything out',
  'install-bios-boot': (step) => `make ${step.disk} boot on BIOS`,
  'install-uefi-boot': (step) => `make ${step.device} boot on UEFI`,
  'start-live': ({ reference, device }) => `make ${reference} the root, changes on ${device}`,
  'hand-over': ({ reference, running }) => (running ? 'bring to the disk what lies in memory' : `start ${reference}`),
  'rename-system': ({ name }) => `call it ${name}`,
  'move-live': ({ device, bytes }) => `bring ${formatBytes(bytes)} to ${device} while it is in use`,
};

function ofSubvolume({ device, subvolume }: { device: string; subvolume?: string }): string {
  return subvolume === undefined ? device : `${subvolume} of ${device}`;
}

function describeScripts(scripts: readonly PlannedScript[]): string {
  return scripts.map(({ name, from }) => `${name} (${from})`).join(', ');
}

function describeTable(table: PartitionTable): string {
  const size = (sectors: number) => formatBytes(sectors * table.sectorSize);
  const stays = ({ kept }: PartitionTable['partitions'][number]) => (kept ? ' (stays)' : '');
  return table.partitions.map((each) => `${partitionName(each)} ${size(each.size)}${stays(each)}`).join(', ');
}
