import { open, rm } from 'node:fs/promises';
import { ImprintError } from '../foundation/errors.ts';
import { blockSize } from '../image/ext4/geometry.ts';
import { writeExt4 } from '../image/ext4/writer.ts';
import { buildFat32 } from '../image/fat32.ts';
import { FormatError } from '../image/format-error.ts';
import { type PlacedPartition, renderDiskTable, swapHeader } from '../machine/disk-table.ts';
import { renderGrubConfig } from '../machine/grub-config.ts';
import { mergeKernelOptions } from '../machine/kernel-options.ts';
import { blocksOf, DiskFile } from '../system/disk-file.ts';
import { makeExt4InFile } from '../system/filesystem.ts';
import { writeDiskBoot } from './disk-image/disk-boot.ts';
import { DiskContent } from './disk-image/disk-content.ts';
import { fatNodes, lostOnFat } from './disk-image/disk-fat.ts';
import { type DiskPlan, inodesFor, journalFor, planDisk } from './disk-image/disk-plan.ts';
import type { PartitionContent } from './disk-image/disk-trees.ts';
import { writeQcow2 } from './disk-image/write-qcow2.ts';
import type { ExportJob, ExportReport } from './export-formats.ts';
import { readContents } from './read-contents.ts';

/**
 * Writes a version as a raw disk image that boots on BIOS and UEFI. The tree is on it as the version has it: what boots it lies on partitions
 * of its own. Errors: `export-unfit`, `chunk-missing`, `corrupt-pack`, `tool-missing`, `disk-full`, `io-failed`.
 */
export async function exportRaw(job: ExportJob, path: string): Promise<ExportReport> {
  const { input, version, store, digest, task, processes } = job;
  const plan = await task.part('lay out', (part) => fitting(job, () => planDisk(store, version, input.size, part)));
  requireBootable(job, plan);
  const warnings = [...plan.notes];
  using disk = new DiskFile(path);
  disk.resize(plan.table.size);
  const content = new DiskContent();
  await task.part('make file systems', async (part) => {
    const args = ['--quiet', '--no-reread', '--no-tell-kernel', path];
    await processes.run('sfdisk', args, { timeout: 60_000, signal: part.signal, input: renderDiskTable(plan.table) });
    for (const each of plan.contents) {
      const place = plan.table.partitions.find(({ uuid }) => uuid === each.partition.partitionUuid) as PlacedPartition;
      if (each.tree !== undefined) await fitting(job, () => makeExt4(job, disk, each, place, content));
      else if (each.entries !== undefined)
        warnings.push(...(await fitting(job, () => makeFat(job, disk, each, place))));
      else disk.write(place.start, swapHeader(place.size, each.partition.uuid, each.partition.label));
    }
  });
  await task.part('write content', (part) =>
    content.write(store, digest, (position, bytes) => disk.write(position, bytes), part),
  );
  await task.part('make it boot', (part) => makeBoot(job, plan, disk, part.signal));
  for (const warning of warnings) task.warn(warning);
  return { entries: plan.entries, bytes: plan.table.size, warnings };
}

/** The same disk as qcow2, compressed if it is asked for. Errors: as `exportRaw`. */
export async function exportQcow2(job: ExportJob, path: string): Promise<ExportReport> {
  const raw = `${path}.raw`;
  await (await open(raw, 'wx')).close();
  using disk = new DiskFile(raw);
  // Without a name it goes with this process, however that ends; the tools reach it by its number.
  await rm(raw);
  const report = await exportRaw({ ...job, input: { ...job.input, format: 'qcow2' } }, disk.link);
  const compression = { none: undefined, gzip: 'deflate', zstd: 'zstd' } as const;
  const bytes = await job.task.part('write qcow2', (part) =>
    writeQcow2(disk.link, report.bytes, path, compression[job.input.compression ?? 'none'], part),
  );
  return { ...report, bytes };
}

async function makeExt4(
  { processes, version, task }: ExportJob,
  disk: DiskFile,
  { partition, tree }: PartitionContent,
  { start, size }: PlacedPartition,
  content: DiskContent,
): Promise<void> {
  if (tree === undefined) return;
  const wish = {
    ...{ path: disk.path, offset: start, size, uuid: partition.uuid, journal: journalFor(size) },
    ...{ inodes: inodesFor(tree, size), time: timeOf(version.record.created) },
    ...(partition.label === undefined ? {} : { label: partition.label }),
  };
  await makeExt4InFile(processes, wish, task.signal);
  writeExt4(tree, blocksOf(disk, start, blockSize), (piece) =>
    content.add({ ...piece, position: start + piece.position }),
  );
}

async function makeFat(
  { store, digest, task }: ExportJob,
  disk: DiskFile,
  { partition, entries = [] }: PartitionContent,
  { start, size }: PlacedPartition,
): Promise<string[]> {
  const root = fatNodes(entries, await readContents(store, digest, entries, task.signal));
  const volume = { size, volumeId: partition.uuid, label: partition.label ?? '', root };
  for (const { offset, bytes } of buildFat32(volume)) disk.write(start + offset, bytes);
  const lost = lostOnFat(entries, partition.options ?? []);
  return lost === 0
    ? []
    : [
        `/${partition.mountPoint} is FAT: ${lost} of its entries lose an owner, mode, time or attribute that FAT cannot keep`,
      ];
}

async function makeBoot(job: ExportJob, plan: DiskPlan, disk: DiskFile, signal: AbortSignal): Promise<void> {
  const { record } = job.version;
  const placed = (role: PlacedPartition['role']) =>
    plan.table.partitions.find((candidate) => candidate.role === role) as PlacedPartition;
  const found = (test: (content: PartitionContent) => boolean) => plan.contents.find(test)?.partition;
  const root = found(({ partition }) => partition.kind === 'root');
  const boot = found(({ partition }) => partition.mountPoint === 'boot');
  const swap = found(({ partition }) => partition.kind === 'swap');
  if (root === undefined) throw new RangeError('there is no root');
  const menu = renderGrubConfig({
    title: record.source.system?.name ?? record.image,
    kernels: plan.image.kernels,
    root: { uuid: root.uuid, partitionUuid: root.partitionUuid, type: 'ext4' },
    ...(boot === undefined ? {} : { boot: { uuid: boot.kind === 'fat' ? fatName(boot.uuid) : boot.uuid } }),
    options: mergeKernelOptions(record.source.kernelOptions, job.input.kernelOptions, swap?.uuid),
    timeout: 2,
  });
  const volumeId = plan.names('esp').slice(0, 8);
  await writeDiskBoot(
    job.processes,
    disk,
    { bios: placed('bios-boot'), esp: placed('esp'), volumeId, menu, time: timeOf(record.created) },
    signal,
  );
}

/** Firmware starts nothing else: a version without a kernel, or of another architecture, would be a disk that does not boot. */
function requireBootable(job: ExportJob, { image }: DiskPlan): void {
  const { architecture } = job.version.record.source;
  const refuse = (problem: string) => unfit(job, problem, 'Write it as a tar or OCI image: --format tar');
  if (architecture !== undefined && !/^(x86_64|i[3-6]86)$/.test(architecture)) {
    throw refuse(`it is for ${architecture}, and disks are made bootable only for x86_64 so far`);
  }
  if (image.kernels.length === 0) throw refuse('it holds no kernel (no /boot/vmlinuz-…)');
  if (image.init === undefined) throw refuse('it holds no init (no /sbin/init)');
}

/** What a file system cannot hold, and what does not fit, is said in the user's words. */
async function fitting<Result>(job: ExportJob, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof FormatError) && !(error instanceof RangeError)) throw error;
    const hint =
      typeof error.cause === 'string'
        ? error.cause
        : 'Make the disk larger (--size), or write it as a tar: --format tar';
    throw unfit(job, error.message, hint);
  }
}

function unfit(job: ExportJob, problem: string, hint: string): ImprintError {
  const { image, number } = job.version.record;
  const details = { reference: `${image}:${number}`, format: `a disk image (${job.input.format})`, problem, hint };
  return new ImprintError('export-unfit', details);
}

function fatName(volumeId: string): string {
  return `${volumeId.slice(0, 4)}-${volumeId.slice(4)}`.toUpperCase();
}

function timeOf(created: string): number {
  return Math.max(0, Math.floor(Date.parse(created) / 1000)) || 0;
}
