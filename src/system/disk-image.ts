import { mkdir, mkdtemp, open, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { rawPath } from '../foundation/brand.ts';
import type { Clock } from '../foundation/clock.ts';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import { sfdiskTableSchema } from '../machine/sfdisk-table.ts';
import { close, open as openFile, openFlags, seekData, seekHole } from '../native/files.ts';
import { isRunning } from './is-running.ts';
import { unmountTree } from './mount.ts';
import type { Processes } from './run.ts';

/** A disk image that can be read as a raw disk. */
export interface OpenDisk {
  /** A file or block device. */
  path: string;
  /** As `qemu-img` calls it. */
  format: string;
  /** A copy of our own, which may be written to; else the user's file, which must not. */
  own: boolean;
  /** Bytes. */
  size: number;
}

/** A partition, or the whole disk where it has none (`number` 0). Bytes. */
export interface DiskPartition {
  number: number;
  start: number;
  size: number;
  /** As sfdisk prints it. */
  type: string;
  name?: string;
  partitionUuid?: string;
  /** As blkid has it: `ext4`, `vfat`, `swap`, `LVM2_member` … */
  fileSystem?: string;
  uuid?: string;
  label?: string;
}

export interface DiskTableFound {
  label: 'gpt' | 'dos' | 'unknown';
  uuid?: string;
  sectorSize: number;
  partitions: DiskPartition[];
}

/** A directory for what is mounted and copied; disposing of it unmounts all below it, lets go of its devices and removes it. */
export interface DiskWorkspace extends AsyncDisposable {
  readonly directory: string;
  readonly processes: Processes;
  /** Mounts a partition read-only. Errors: `process-failed` where it is none that this kernel reads. */
  mount(disk: OpenDisk, partition: DiskPartition, directory: string, options: readonly string[]): Promise<void>;
  /** A copy of one partition, holes kept, as a disk that is all one file system. */
  copy(disk: OpenDisk, partition: DiskPartition): Promise<{ disk: OpenDisk; partition: DiskPartition }>;
}

const patience = 120_000;
const prefix = 'imprint-disk-';
const copyPiece = 4 << 20;

const infoSchema = z.looseObject({
  format: z.string(),
  'virtual-size': z.number(),
  encrypted: z.boolean().optional(),
  'backing-filename': z.string().optional(),
  'full-backing-filename': z.string().optional(),
});

/**
 * Opens a disk image. A raw one, or a device, is read where it is; of any other kind a raw copy is made, as large as its content. An image that
 * builds upon another says so in the log: it is read, too.
 *
 * Errors: `source-unfit`, `source-not-found`, `tool-missing`, `disk-full`, `interrupted`.
 */
export async function openDiskImage(
  processes: Processes,
  path: string,
  workspace: string,
  signal: AbortSignal,
  onLog: (message: string) => void,
): Promise<OpenDisk> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new ImprintError('source-not-found', { source: path }, { cause });
  });
  if (found.isBlockDevice()) {
    const { stdout } = await processes.run('blockdev', ['--getsize64', path], { timeout: patience, signal });
    return { path, format: 'device', own: false, size: Number(stdout) };
  }
  const unfit = (problem: string, hint: string) => new ImprintError('source-unfit', { source: path, problem, hint });
  if (!found.isFile()) throw unfit('it is neither a file nor a disk', 'Name a disk image, or a block device.');
  if (await isRaw(path)) return { path, format: 'raw', own: false, size: found.size };
  const args = ['info', '--output=json', path];
  const info = await processes.run('qemu-img', args, { timeout: patience, signal }).then(
    ({ stdout }) => infoSchema.parse(JSON.parse(stdout)),
    (error: unknown) => {
      const { code, message } = toImprintError(error);
      if (code === 'tool-missing' || code === 'interrupted') throw error;
      throw unfit(`qemu-img cannot read it: ${message}`, 'Is a virtual machine running from it? Shut that down.');
    },
  );
  if (info.format === 'raw') return { path, format: 'raw', own: false, size: found.size };
  if (info.encrypted === true) throw unfit('it is encrypted', 'Decrypt it: qemu-img convert');
  const backing = info['full-backing-filename'] ?? info['backing-filename'];
  if (backing !== undefined) {
    const isFile = await stat(backing).then(
      (each) => each.isFile(),
      () => false,
    );
    if (!isFile) throw unfit(`it builds upon ${backing}, which is no file here`, 'Join them: qemu-img convert');
    onLog(`it builds upon ${backing}`);
  }
  const copy = join(workspace, 'disk.raw');
  const convert = ['convert', '-f', info.format, '-O', 'raw', '-S', '4k', path, copy];
  await processes.run('qemu-img', convert, { signal }).catch((error: unknown) => {
    if (/No space left/.test(toImprintError(error).message)) throw new ImprintError('disk-full', { path: workspace });
    throw error;
  });
  return { path: copy, format: info.format, own: true, size: info['virtual-size'] };
}

/** The partitions of a disk with what each holds. Errors: `tool-missing`, `process-failed`. */
export async function readDiskPartitions(
  processes: Processes,
  disk: OpenDisk,
  signal: AbortSignal,
): Promise<DiskTableFound> {
  const options = { timeout: patience, signal };
  const { stdout, status } = await processes.run('sfdisk', ['--json', disk.path], { ...options, accept: [0, 1] });
  const parsed = status === 0 ? sfdiskTableSchema.safeParse(JSON.parse(stdout)) : undefined;
  const whole = { number: 0, start: 0, size: disk.size, type: '' };
  const holds = await probe(processes, disk, whole, signal);
  // A file system right on the disk: a boot sector of FAT or NTFS looks like a table, too.
  if (!parsed?.success || (holds.fileSystem !== undefined && parsed.data.partitiontable.label === 'dos')) {
    return { label: 'unknown', sectorSize: 512, partitions: [holds] };
  }
  const { label, id, sectorsize = 512, partitions } = parsed.data.partitiontable;
  const read = partitions
    // Extended partitions hold others.
    .filter(({ type }) => !/^(0?5|0?f|85)$/i.test(type))
    .map(({ node, start, size, type, uuid, name }) => ({
      number: Number(/\d+$/.exec(node)?.[0] ?? 0),
      start: start * sectorsize,
      size: size * sectorsize,
      type,
      ...(name === undefined || name === '' ? {} : { name }),
      ...(uuid === undefined ? {} : { partitionUuid: uuid }),
    }))
    .filter(({ start, size }) => size > 0 && start + size <= disk.size);
  const found: DiskPartition[] = [];
  for (const partition of read) found.push(await probe(processes, disk, partition, signal));
  return {
    label: label === 'gpt' || label === 'dos' ? label : 'unknown',
    ...(id === undefined ? {} : { uuid: id }),
    sectorSize: sectorsize,
    partitions: found,
  };
}

/** Makes a workspace; what a killed process left behind goes first. */
export async function openDiskWorkspace(processes: Processes, clock: Clock): Promise<DiskWorkspace> {
  for (const name of await readdir(tmpdir())) {
    const pid = Number(/^imprint-disk-(\d+)-/.exec(name)?.[1]);
    if (Number.isInteger(pid) && !isRunning(pid)) await dismantle(processes, clock, join(tmpdir(), name));
  }
  const directory = await mkdtemp(join(tmpdir(), `${prefix}${process.pid}-`));
  /** One device for each partition: btrfs lets no second one be mounted. */
  const devices = new Map<string, string>();
  return {
    directory,
    processes,
    async mount(disk, partition, target, options) {
      await mkdir(target, { recursive: true });
      const key = `${disk.path}@${partition.start}`;
      const device = devices.get(key) ?? (await attach(processes, disk, partition));
      devices.set(key, device);
      const type = partition.fileSystem ?? 'auto';
      // A boot sector's clock is of no zone: the machine's own is taken to be UTC.
      const own = type === 'xfs' ? ['nouuid'] : type === 'vfat' ? ['tz=UTC'] : [];
      const words = ['ro', 'nodev', 'nosuid', 'noexec', ...options, ...own].join(',');
      await processes.run('mount', ['-t', type, '-o', words, device, target], { timeout: patience });
    },
    async copy(disk, partition) {
      const path = join(directory, `partition-${partition.number}.raw`);
      await copyRange(disk.path, partition, path);
      return {
        disk: { path, format: 'raw', own: true, size: partition.size },
        partition: { ...partition, start: 0 },
      };
    },
    async [Symbol.asyncDispose]() {
      await unmountTree(processes, directory, clock);
      for (const device of [...devices.values()].reverse()) {
        await processes.run('losetup', ['--detach', device], { timeout: patience, accept: [0, 1] });
      }
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Loop devices of the workspace's own files and mounts go with what uses them; the directory only once nothing is mounted there. */
async function dismantle(processes: Processes, clock: Clock, directory: string): Promise<void> {
  await unmountTree(processes, directory, clock);
  const { stdout } = await processes.run('losetup', ['--list', '--noheadings', '--output', 'NAME,BACK-FILE'], {
    timeout: patience,
    accept: [0, 1],
  });
  for (const line of stdout.split('\n')) {
    const [device, file] = line.trim().split(/\s+/);
    if (device !== undefined && file?.startsWith(`${directory}/`))
      await processes.run('losetup', ['--detach', device], { timeout: patience, accept: [0, 1] });
  }
  await rm(directory, { recursive: true, force: true });
}

/** A loop device over a partition: read-only over what is not ours, so that not even a journal is replayed there. */
async function attach(processes: Processes, disk: OpenDisk, partition: DiskPartition): Promise<string> {
  const place = ['--offset', String(partition.start), '--sizelimit', String(partition.size)];
  const args = ['--find', '--show', ...(disk.own ? [] : ['--read-only']), ...place, disk.path];
  return (await processes.run('losetup', args, { timeout: patience })).stdout.trim();
}

/** What a partition of a disk or image file holds. Errors: `process-failed`, `tool-missing`. */
export async function probe(
  processes: Processes,
  disk: Pick<OpenDisk, 'path'>,
  partition: DiskPartition,
  signal: AbortSignal,
): Promise<DiskPartition> {
  const place = ['--offset', String(partition.start), '--size', String(partition.size)];
  const args = ['--probe', '--output', 'export', ...place, disk.path];
  // 2: nothing is there that it knows; 8: several things at once.
  const { stdout } = await processes.run('blkid', args, { timeout: patience, signal, accept: [0, 2, 8] });
  const values = new Map(stdout.split('\n').map((line) => line.split(/=(.*)/s, 2) as [string, string]));
  const value = (name: string) => values.get(name)?.replaceAll(/\\(.)/g, '$1') || undefined;
  const [fileSystem, uuid, label] = [value('TYPE'), value('UUID'), value('LABEL')];
  return {
    ...partition,
    ...(fileSystem === undefined ? {} : { fileSystem }),
    ...(uuid === undefined ? {} : { uuid }),
    ...(label === undefined ? {} : { label }),
  };
}

/** A partition table's end mark, or a file system: whatever else it looks like, its first sector is a disk's. */
async function isRaw(path: string): Promise<boolean> {
  await using file = await open(path, 'r');
  const head = Buffer.alloc(4096);
  await file.read(head, 0, head.length, 0);
  const mark = head.toString('latin1', 0, 4);
  if (mark === 'QFI\xfb' || mark === 'KDMV' || mark === 'COWD' || head.toString('latin1', 0, 8) === 'vhdxfile')
    return false;
  if (head.toString('latin1', 0, 3) === '<<<' || head.toString('latin1', 0, 8) === 'conectix') return false;
  return (head[510] === 0x55 && head[511] === 0xaa) || head.readUInt16LE(1080) === 0xef53 || mark === 'XFSB';
}

async function copyRange(from: string, { start, size }: DiskPartition, to: string): Promise<void> {
  const fd = openFile(rawPath(from), openFlags.readOnly);
  try {
    await using source = await open(from, 'r');
    await using target = await open(to, 'w');
    await target.truncate(size);
    const piece = Buffer.alloc(copyPiece);
    const end = start + size;
    // A device has no holes to ask for: then all of it is data, and zeros are found below.
    for (let at = start; at < end; ) {
      const data = seekData(fd, at);
      if (data < 0 || data >= end) break;
      const hole = seekHole(fd, data);
      const stop = Math.min(hole < 0 ? end : hole, end);
      for (at = data; at < stop; ) {
        const { bytesRead } = await source.read(piece, 0, Math.min(piece.length, stop - at), at);
        if (bytesRead === 0) return;
        const bytes = piece.subarray(0, bytesRead);
        if (bytes.some((byte) => byte !== 0)) await target.write(bytes, 0, bytesRead, at - start);
        at += bytesRead;
      }
    }
  } catch (error) {
    throw toImprintError(Object.assign(error as NodeJS.ErrnoException, { path: to }));
  } finally {
    close(fd);
  }
}
