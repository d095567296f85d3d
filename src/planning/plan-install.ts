import type { VersionRecord } from '../contract/image.ts';
import type { DiskFacts, InstallOptions, MachineFacts } from '../contract/machine.ts';
import { ImprintError } from '../foundation/errors.ts';
import { chooseDisk } from '../machine/choose-disk.ts';
import type { ImageContent } from '../machine/image-content.ts';
import { mergeKernelOptions } from '../machine/kernel-options.ts';
import {
  layPartitions,
  type Partition,
  type PartitionRole,
  type PartitionTable,
  type PartitionWish,
  partitionPath,
} from '../machine/partition-table.ts';
import { imageProblem } from './image-problem.ts';
import { bootSpace, diskSpace } from './install-space.ts';
import type { Step } from './step.ts';

/** Names that the new system gets, made before planning so that planning stays pure; see `freshIdentity`. */
export interface FreshIdentity {
  /** UUIDs of the partition table, of each partition, and of root and swap. */
  table: string;
  partitions: Readonly<Record<PartitionRole, string>>;
  root: string;
  swap: string;
  /** 8 hexadecimal digits. */
  espVolumeId: string;
  /** 32 hexadecimal digits. */
  machineId: string;
}

export interface InstallQuestion {
  /** Host name that the machine gets. */
  name: string;
  facts: MachineFacts;
  /** `web:3`. */
  reference: string;
  record: VersionRecord;
  /** Absent where the manifest was not read (a dry run on the server): then its kernels are not checked. */
  content?: ImageContent;
  options: InstallOptions;
  fresh: FreshIdentity;
  /** Whom the first boot reports to; absent: nobody. */
  report?: { server: string; order: string; session: string };
}

export type InstallPlan = { kind: 'plan'; disk: DiskFacts; steps: Step[] } | { kind: 'refused'; error: ImprintError };

/**
 * What an install will do, or why it will not. Pure.
 *
 * Refusals: `image-unfit`, `disk-none`, `disk-ambiguous`, `disk-in-use`, `disk-too-small`, `input-invalid` (a disk rule that is none).
 */
export function planInstall(question: InstallQuestion): InstallPlan {
  const { facts, name, reference, record, content, options } = question;
  const unfit = imageProblem({ machine: name, architecture: facts.architecture, reference, record, content });
  if (unfit !== undefined) return { kind: 'refused', error: unfit };
  const answer = chooseDisk({
    disks: facts.disks,
    rule: options.disk,
    needed: (disk) => diskSpace(record.stats, options.swap ?? 0, disk),
    machine: name,
    reference,
  });
  if (answer.kind === 'refused') return answer;
  const { disk } = answer;
  if (facts.firmware === 'bios' && disk.sectorSize !== 512) {
    const problem = `its firmware is a BIOS, which cannot boot ${disk.path} with sectors of ${disk.sectorSize} bytes`;
    const hint = 'Switch the machine to UEFI, or use another disk.';
    return { kind: 'refused', error: new ImprintError('image-unfit', { reference, machine: name, problem, hint }) };
  }
  return { kind: 'plan', disk, steps: stepsFor(question, disk) };
}

function stepsFor(question: InstallQuestion, disk: DiskFacts): Step[] {
  const { name, reference, record, content, options, fresh, report } = question;
  const fileSystem = options.fileSystem ?? 'ext4';
  const table = layPartitions(disk, fresh.table, partitionWishes(question, disk));
  const rootPartition = partitionOf(table, 'root');
  const biosBoot = partitionOf(table, 'bios-boot');
  const device = (role: PartitionRole) => partitionPath(disk.path, partitionOf(table, role).number);
  const swap = (options.swap ?? 0) > 0 ? fresh.swap : undefined;
  const root = { uuid: fresh.root, type: fileSystem };
  const esp = `${fresh.espVolumeId.slice(0, 4)}-${fresh.espVolumeId.slice(4)}`.toUpperCase();
  const golden = record.source.hostName;
  const steps: Step[] = [
    { kind: 'wipe-disk', disk: disk.path },
    { kind: 'partition-disk', disk: disk.path, table },
    { kind: 'make-esp', device: device('esp'), volumeId: fresh.espVolumeId },
  ];
  if (swap !== undefined) steps.push({ kind: 'make-swap', device: device('swap'), uuid: swap });
  steps.push(
    {
      kind: 'make-root',
      device: device('root'),
      fileSystem,
      uuid: fresh.root,
      inodes: Math.ceil(record.stats.entries * 1.5) + 65_536,
    },
    { kind: 'mount-root', device: device('root'), fileSystem },
    { kind: 'restore', reference, digest: record.digest, bytes: record.stats.contentBytes },
    { kind: 'write-fstab', mounts: { root, esp, ...(swap === undefined ? {} : { swap }) } },
    {
      kind: 'write-identity',
      name,
      ...(golden === undefined ? {} : { goldenName: golden }),
      machineId: fresh.machineId,
      sshHostKeys: content?.sshServer ?? true,
      relabel: content?.selinux ?? false,
    },
    {
      kind: 'write-boot-menu',
      menu: {
        title: record.source.system?.name ?? record.image,
        kernels: content?.kernels ?? [],
        root: { ...root, partitionUuid: rootPartition.uuid },
        options: mergeKernelOptions(record.source.kernelOptions, options.kernelOptions, swap),
        timeout: 2,
      },
    },
  );
  if (report !== undefined && content?.systemd !== false) {
    steps.push({ kind: 'write-first-boot', ...report, digest: record.digest });
  }
  steps.push({ kind: 'unmount-root', device: device('root') });
  if (disk.sectorSize === 512) {
    const { start, size } = biosBoot;
    const partition = device('bios-boot');
    steps.push({
      kind: 'install-bios-boot',
      disk: disk.path,
      partition,
      start,
      size,
      rootUuid: fresh.root,
      fileSystem,
    });
  }
  steps.push({ kind: 'install-uefi-boot', device: device('esp'), rootUuid: fresh.root, fileSystem });
  return steps;
}

function partitionWishes({ options, fresh }: InstallQuestion, disk: DiskFacts): PartitionWish[] {
  const space = bootSpace(disk);
  const wish = (role: PartitionRole, size: number | 'rest') => ({ role, size, uuid: fresh.partitions[role] });
  const swap = options.swap ?? 0;
  return [
    wish('bios-boot', space.biosBoot),
    wish('esp', space.esp),
    ...(swap > 0 ? [wish('swap', swap)] : []),
    wish('root', 'rest'),
  ];
}

function partitionOf(table: PartitionTable, role: PartitionRole): Partition {
  const partition = table.partitions.find((candidate) => candidate.role === role);
  if (partition === undefined) throw new RangeError(`the table has no partition ${role}`);
  return partition;
}
