import { open, readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { SourceFacts } from '../../contract/image.ts';
import { displayPath, type RawPath, rawPath } from '../../foundation/brand.ts';
import { systemClock } from '../../foundation/clock.ts';
import { ImprintError, toImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { planDiskMounts } from '../../machine/disk-mounts.ts';
import { elfMachine } from '../../machine/elf-machine.ts';
import { globOfPath } from '../../machine/exclude.ts';
import { parseFstab } from '../../machine/fstab-entries.ts';
import { withoutMachinesOwn } from '../../machine/kernel-options.ts';
import { present } from '../../machine/source-disks.ts';
import {
  type DiskPartition,
  type DiskTableFound,
  type DiskWorkspace,
  type OpenDisk,
  openDiskImage,
  openDiskWorkspace,
  readDiskPartitions,
} from '../../system/disk-image.ts';
import { copyFatToExt4 } from '../../system/fat-as-ext4.ts';
import { type RootFiles, rootFiles } from '../../system/root-files.ts';
import { captureLocal } from './capture-local.ts';
import type { CapturedSource, SourceCapture } from './captured-source.ts';

/** A file system of the disk that was mounted. */
interface Mounted {
  mountPoint: string;
  partition: DiskPartition;
}

const readable = new Set(['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'f2fs', 'jfs', 'reiserfs', 'squashfs', 'erofs']);
/** Subvolumes that distributions put their root into, where it is not the default one. */
const rootSubvolumes = ['@', 'root', '@rootfs', '@root'];

/**
 * Captures a disk image, or a disk: finds the file system that is its root, mounts what its fstab mounts below it, and reads that. Nothing is
 * written to it; where a journal must be replayed, that is done on a copy of the partition.
 *
 * Errors: `source-unfit`, `not-root`, `tool-missing`, `disk-full`, and those of a directory's capture.
 */
export async function captureDisk(capture: SourceCapture): Promise<CapturedSource> {
  const { input, place, processes, task } = capture;
  if (process.getuid?.() !== 0)
    throw new ImprintError('not-root', { action: 'Mounting the file systems of a disk image' });
  const path = resolve(place.path);
  await using workspace = await openDiskWorkspace(processes, systemClock);
  const disk = await task.part('open the disk', (part) =>
    openDiskImage(processes, path, workspace.directory, part.signal, (message) => part.log(message)),
  );
  const table = await readDiskPartitions(processes, disk, task.signal);
  const root = join(workspace.directory, 'root');
  const warnings: string[] = [];
  const swapFiles: string[] = [];
  const mounted = await task.part('mount', async (part) => {
    const found = await mountRoot(workspace, disk, table, root, path, part);
    const files = rootFiles(root);
    const plan = planDiskMounts(parseFstab((await readLatin1(files, 'etc/fstab')) ?? ''), table.partitions);
    swapFiles.push(...plan.swapFiles);
    for (const each of plan.missing)
      warnings.push(`fstab mounts ${each}, which is not on this disk: it is not in the version`);
    const all: Mounted[] = [{ mountPoint: '', partition: found }];
    for (const { mountPoint, partition, options } of input.oneFileSystem ? [] : plan.mounts) {
      const target = await files.resolve(mountPoint);
      if (!(await stat(target).catch(() => undefined))?.isDirectory()) {
        warnings.push(`fstab mounts /${mountPoint}, which is no directory: it is not in the version`);
        continue;
      }
      await mountOne(workspace, disk, partition, target, options, part);
      part.log(`/${mountPoint} is partition ${partition.number} (${partition.fileSystem})`);
      all.push({ mountPoint, partition });
    }
    return all;
  });
  for (const warning of warnings) task.warn(warning);
  const source = await captureLocal({
    ...capture,
    input: {
      ...input,
      source: root,
      // Nothing of this machine is to be run, and everything is mounted read-only.
      noScripts: true,
      noSnapshot: true,
      excludes: [...input.excludes, ...swapFiles.map((file) => globOfPath(rawPath(file)))],
    },
    previous: () => capture.previous(path),
  });
  const facts = await factsOf(source.facts, path, disk, table, mounted, rootFiles(root));
  return { ...source, facts, warnings: [...warnings, ...source.warnings] };
}

/** Mounts the one file system that looks like a root; that of a disk with one only is it in any case. */
async function mountRoot(
  workspace: DiskWorkspace,
  disk: OpenDisk,
  table: DiskTableFound,
  root: string,
  source: string,
  task: Task,
): Promise<DiskPartition> {
  const candidates = table.partitions.filter(({ fileSystem }) => readable.has(fileSystem ?? ''));
  const roots: { partition: DiskPartition; options: string[] }[] = [];
  for (const partition of candidates) {
    const directory = join(workspace.directory, `look-${partition.number}`);
    await mountOne(workspace, disk, partition, directory, [], task);
    if (await looksLikeRoot(directory)) roots.push({ partition, options: [] });
    else if (partition.fileSystem === 'btrfs') {
      for (const name of rootSubvolumes) {
        if (await looksLikeRoot(join(directory, name))) roots.push({ partition, options: [`subvol=${name}`] });
      }
    }
  }
  const only = candidates[0];
  const [found, ...others] = roots;
  const chosen =
    found ?? (candidates.length === 1 && only !== undefined ? { partition: only, options: [] } : undefined);
  if (chosen === undefined) throw noRoot(table, source);
  if (others.length > 0) {
    const numbers = roots.map(({ partition }) => partition.number).join(', ');
    throw new ImprintError('source-unfit', {
      source,
      problem: `several partitions look like the root of a system: ${numbers}`,
      hint: 'Mount the one that is meant, and capture the directory.',
    });
  }
  const { partition, options } = chosen;
  await mountOne(workspace, disk, partition, root, options, task);
  task.log(`/ is partition ${partition.number} (${[partition.fileSystem, ...options].join(', ')})`);
  return partition;
}

/** Where it cannot be mounted as it is (its journal is not clean), a copy of it is: the user's file stays as it was. */
async function mountOne(
  workspace: DiskWorkspace,
  disk: OpenDisk,
  partition: DiskPartition,
  target: string,
  options: readonly string[],
  task: Task,
): Promise<void> {
  try {
    await workspace.mount(disk, partition, target, options);
  } catch (error) {
    const known = toImprintError(error);
    if (partition.fileSystem === 'vfat' && /unknown filesystem/.test(String(known.details.stderr))) {
      // This kernel knows no FAT; what it would show is in an ext4 instead.
      const file = join(workspace.directory, `fat-${partition.number}.ext4`);
      const copy = await copyFatToExt4(workspace.processes, disk, partition, options, file);
      await workspace.mount(copy.disk, copy.partition, target, []);
      return;
    }
    if (known.code !== 'process-failed' || disk.own) throw unreadable(partition, known);
    task.log(`partition ${partition.number} was not left clean: its journal is replayed on a copy`);
    const copy = await workspace.copy(disk, partition);
    await workspace.mount(copy.disk, copy.partition, target, options).catch((thrown: unknown) => {
      throw unreadable(partition, toImprintError(thrown));
    });
  }
}

function unreadable(partition: DiskPartition, error: ImprintError): ImprintError {
  if (error.code !== 'process-failed') return error;
  const problem = `its partition ${partition.number} (${partition.fileSystem}) cannot be mounted: ${String(error.details.stderr)}`;
  const hint = 'Check it with the file system’s own tools on a copy, or see whether this kernel knows it.';
  return new ImprintError('source-unfit', { source: 'the disk', problem, hint }, { cause: error });
}

function noRoot(table: DiskTableFound, source: string): ImprintError {
  const holders = ['LVM2_member', 'crypto_LUKS', 'linux_raid_member', 'zfs_member'];
  const found = table.partitions
    .map(({ number, fileSystem }) => `${number}: ${fileSystem ?? 'nothing known'}`)
    .join(', ');
  const held = table.partitions.some(({ fileSystem }) => holders.includes(fileSystem ?? ''));
  return new ImprintError('source-unfit', {
    source,
    problem: `none of its partitions is the root of a system (${found === '' ? 'it has none' : found})`,
    hint: held
      ? 'Start the machine and capture it over ssh: LVM, RAID and encryption are not opened in an image.'
      : 'Capture the directory that holds the system, or the machine itself.',
  });
}

async function looksLikeRoot(directory: string): Promise<boolean> {
  const names = await readdir(directory).catch((): string[] => []);
  if (!names.includes('etc') || !(names.includes('usr') || names.includes('bin'))) return false;
  const files = rootFiles(directory);
  for (const path of ['etc/fstab', 'etc/os-release', 'usr/lib/os-release', 'sbin/init', 'etc/passwd']) {
    if (await files.exists(path).catch(() => false)) return true;
  }
  return false;
}

/** What is known of the machine that the disk is from; the directory that it was mounted on is none of it. */
async function factsOf(
  captured: SourceFacts,
  path: string,
  disk: OpenDisk,
  table: DiskTableFound,
  mounted: readonly Mounted[],
  files: RootFiles,
): Promise<SourceFacts> {
  const hostName = (await files.read('etc/hostname').catch(() => undefined))?.trim();
  const device = ({ number }: DiskPartition) => (number === 0 ? 'disk' : `partition ${number}`);
  return {
    location: path,
    ...present({
      hostName: hostName !== undefined && /^[\w.-]+$/.test(hostName) ? hostName : undefined,
      architecture: await architectureOf(files),
      kernelOptions: await kernelOptionsOf(files),
    }),
    ...(captured.system === undefined ? {} : { system: captured.system }),
    bootMode: 'unknown',
    disks: [
      {
        name: basename(path),
        size: disk.size,
        sectorSize: table.sectorSize,
        label: table.label,
        partitions: table.partitions
          .filter(({ number }) => number > 0)
          .map((partition) => ({
            ...{ number: partition.number, start: partition.start, size: partition.size, type: partition.type },
            ...present({
              name: partition.name,
              fileSystem: partition.fileSystem,
              mountPoint: mountPointOf(mounted, partition),
            }),
          })),
      },
    ],
    fileSystems: mounted.map(({ mountPoint, partition }) => ({
      mountPoint: `/${mountPoint}`,
      type: partition.fileSystem ?? 'unknown',
      device: device(partition),
      ...present({ uuid: partition.uuid, label: partition.label }),
      size: partition.size,
      captured: true,
    })),
  };
}

function mountPointOf(mounted: readonly Mounted[], partition: DiskPartition): string | undefined {
  const found = mounted.find((each) => each.partition === partition);
  return found === undefined ? undefined : `/${found.mountPoint}`;
}

/** By the first program of the system that is there. */
async function architectureOf(files: RootFiles): Promise<string | undefined> {
  for (const path of ['sbin/init', 'bin/sh', 'usr/bin/env']) {
    const place = await files.resolve(path).catch(() => undefined);
    if (place === undefined || !(await stat(place).catch(() => undefined))?.isFile()) continue;
    await using file = await open(place, 'r');
    const head = Buffer.alloc(64);
    await file.read(head, 0, head.length, 0);
    const machine = elfMachine(head);
    if (machine !== undefined) return machine;
  }
  return undefined;
}

/** What the system gives its kernel: `/etc/default/grub` of Debian, Fedora and SUSE. */
async function kernelOptionsOf(files: RootFiles): Promise<string | undefined> {
  const text = await files.read('etc/default/grub').catch(() => undefined);
  if (text === undefined) return undefined;
  const value = (name: string) =>
    new RegExp(`^\\s*${name}=(?:"([^"\n]*)"|'([^'\n]*)'|(\\S*))`, 'm')
      .exec(text)
      ?.slice(1)
      .find((part) => part !== undefined);
  const words = [value('GRUB_CMDLINE_LINUX'), value('GRUB_CMDLINE_LINUX_DEFAULT')].filter((part) => part);
  return words.length === 0 ? undefined : withoutMachinesOwn(words.join(' ')) || undefined;
}

async function readLatin1(files: RootFiles, path: string): Promise<string | undefined> {
  const text = await files.read(path).catch((error: unknown) => {
    throw new ImprintError('io-failed', {
      operation: 'reading',
      path: displayPath(path as RawPath),
      problem: String(error),
    });
  });
  return text === undefined ? undefined : Buffer.from(text, 'utf8').toString('latin1');
}
