import { formatBytes } from '../foundation/bytes.ts';
import type { InstalledMounts } from '../machine/fstab.ts';
import type { BootMenu } from '../machine/grub-config.ts';
import type { PartitionTable } from '../machine/partition-table.ts';
import type { RootFileSystem } from '../machine/root-file-system.ts';

/**
 * One thing that an install does to a machine: data that can be shown, sent and kept. `operations/install/` does them;
 * a new kind does not compile until it can be described here and done there. Each may be done again from the start.
 */
export type Step =
  /** Takes every signature and boot code off the disk: what was on it can boot no longer. */
  | { kind: 'wipe-disk'; disk: string }
  | { kind: 'partition-disk'; disk: string; table: PartitionTable }
  | {
      kind: 'make-root';
      device: string;
      fileSystem: RootFileSystem;
      uuid: string;
      /** Inodes wanted, where the file system cannot make them as it goes (ext4). */
      inodes: number;
    }
  /** FAT32; `volumeId` as 8 hexadecimal digits. */
  | { kind: 'make-esp'; device: string; volumeId: string }
  | { kind: 'make-swap'; device: string; uuid: string }
  | { kind: 'mount-root'; device: string; fileSystem: RootFileSystem }
  | { kind: 'restore'; reference: string; digest: string; bytes: number }
  | { kind: 'write-fstab'; mounts: InstalledMounts }
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
  | { kind: 'write-boot-menu'; menu: BootMenu }
  | { kind: 'write-first-boot'; server: string; order: string; session: string; digest: string }
  /** Flushes and lets go of the root: from here on it is whole. */
  | { kind: 'unmount-root'; device: string }
  /** What firmware starts comes last, so that a cut before leaves nothing that boots half a system. */
  | {
      kind: 'install-bios-boot';
      disk: string;
      partition: string;
      /** Of the BIOS boot partition, in sectors of the disk. */
      start: number;
      size: number;
      rootUuid: string;
      fileSystem: RootFileSystem;
    }
  | { kind: 'install-uefi-boot'; device: string; rootUuid: string; fileSystem: RootFileSystem };

export type StepKind = Step['kind'];
export type StepOf<Kind extends StepKind> = Extract<Step, { kind: Kind }>;

/** A step in a few words: for the dry run, the progress, and the journal. */
export function describeStep(step: Step): string {
  return describers[step.kind](step as never);
}

const describers: { readonly [Kind in StepKind]: (step: StepOf<Kind>) => string } = {
  'wipe-disk': (step) => `erase ${step.disk}`,
  'partition-disk': (step) => `partition ${step.disk}: ${describeTable(step.table)}`,
  'make-root': (step) => `make ${step.fileSystem} on ${step.device}`,
  'make-esp': (step) => `make the EFI system partition on ${step.device}`,
  'make-swap': (step) => `make swap on ${step.device}`,
  'mount-root': (step) => `mount ${step.device}`,
  restore: (step) => `restore ${step.reference} (${formatBytes(step.bytes)})`,
  'write-fstab': () => 'write /etc/fstab',
  'write-identity': (step) => `make it ${step.name}: host name, machine-id${step.sshHostKeys ? ', SSH host keys' : ''}`,
  'write-boot-menu': (step) =>
    `write the boot menu: Linux ${step.menu.kernels.map((kernel) => kernel.version).join(', ')}`,
  'write-first-boot': () => 'have the first boot report to the server',
  'unmount-root': () => 'write everything out',
  'install-bios-boot': (step) => `make ${step.disk} boot on BIOS`,
  'install-uefi-boot': (step) => `make ${step.device} boot on UEFI`,
};

function describeTable(table: PartitionTable): string {
  const size = (sectors: number) => formatBytes(sectors * table.sectorSize);
  return table.partitions.map((partition) => `${partition.role} ${size(partition.size)}`).join(', ');
}
