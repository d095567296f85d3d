import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BootPointer } from '../../src/machine/boot-pointer.ts';
import { renderTries } from '../../src/machine/boot-pointer-block.ts';
import { decideBoot } from '../../src/machine/decide-boot.ts';
import { bootPartitionPaths } from '../../src/machine/installed-layout.ts';
import { BootPartition } from '../../src/system/boot-partition.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { partitionPlaces } from './partition-file.ts';

/** Versions that a machine of a power-cut test goes through. */
export type VersionName = string;

/** A disk as a small machine has it: number 1 the boot partition, then the slots, or the host partition. */
export interface SubjectDisk {
  /** `/dev/loop7`, whose partitions are known to the kernel. */
  readonly device: string;
  /** A directory for mounts and the like. */
  readonly work: string;
}

/** How a layout is made, updated and looked at; what is proven is the product's code behind it. */
export interface UpdateSubject {
  readonly title: string;
  /** Bytes of the partitions after the boot partition. */
  readonly partitions: readonly number[];
  /** Makes a machine that runs `version`. */
  install(disk: SubjectDisk, version: VersionName): Promise<void>;
  /** Brings it to `version`, up to the pointer with the trial. */
  update(disk: SubjectDisk, version: VersionName): Promise<void>;
  /** Number of the partition that holds the root of an entry. */
  partitionOf(slot: string): number;
  /** What is wrong with the root that an entry boots, as the kernel mounts it: empty where it is exactly `version`. */
  problems(disk: string, slot: string, version: VersionName): Promise<string[]>;
}

export const bootPartitionSize = 96 << 20;

/** An empty raw disk with the partitions of a subject. */
export async function makeSubjectDisk(file: string, subject: UpdateSubject): Promise<void> {
  const sizes = [bootPartitionSize, ...subject.partitions];
  const total = sizes.reduce((sum, size) => sum + size, 4 << 20);
  await run('truncate', ['--size', String(total), file]);
  const lines = sizes.map((size) => `size=${size / 512}, type=L, uuid=${randomUUID()}`);
  await systemProcesses.run('sfdisk', ['--quiet', file], {
    input: `label: gpt\n${lines.join('\n')}\n`,
    timeout: 30_000,
  });
}

/** A raw disk as a device with partitions. Goes with `await using`. */
export async function attachDisk(file: string, work: string): Promise<SubjectDisk & AsyncDisposable> {
  await mkdir(work, { recursive: true });
  const { stdout } = await systemProcesses.run('losetup', ['--find', '--show', file], { timeout: 30_000 });
  const device = stdout.trim();
  await systemProcesses.run('partx', ['--update', device], { accept: [0, 1], timeout: 30_000 });
  return {
    device,
    work,
    async [Symbol.asyncDispose]() {
      await systemProcesses.run('partx', ['--delete', device], { accept: [0, 1], timeout: 30_000 });
      await run('losetup', ['--detach', device]);
      await rm(work, { recursive: true, force: true });
    },
  };
}

/** Opens the boot partition of a disk. */
export function openBoot(disk: SubjectDisk): Promise<BootPartition> {
  return BootPartition.open(systemProcesses, `${disk.device}p1`, { mountAt: join(disk.work, 'boot') });
}

/** Writes the next record of the pointer. */
export async function turnPointer(
  disk: SubjectDisk,
  next: (pointer: BootPointer) => BootPointer | undefined,
): Promise<void> {
  await using boot = await openBoot(disk);
  const pointer = await boot.pointer();
  const record = pointer && next(pointer);
  if (record === undefined) throw new Error(`no next record after ${JSON.stringify(pointer)}`);
  await boot.writePointer(record);
}

/**
 * What GRUB does at a boot: decides, and writes the count into the blocks of `tries.env`, past every file system. Returns the entry.
 */
export async function bootByGrub(disk: SubjectDisk): Promise<string> {
  let decision: ReturnType<typeof decideBoot>;
  {
    await using boot = await openBoot(disk);
    const entries = (await boot.entries()).map(({ id }) => id);
    decision = decideBoot(await boot.pointer(), await boot.tries(), { entries });
  }
  if (decision === undefined) throw new Error('nothing to boot');
  if (decision.write !== undefined) await writePastFileSystem(disk, renderTries(decision.write));
  return decision.entry;
}

async function writePastFileSystem({ device }: SubjectDisk, content: Buffer): Promise<void> {
  const place = await placeOfFile(device, bootPartitionPaths.tries);
  await systemProcesses.run(
    'dd',
    [`of=${device}`, 'bs=512', `seek=${place / 512}`, 'oflag=direct', 'conv=notrunc,fsync', 'status=none'],
    { input: content, timeout: 30_000 },
  );
  await run('blockdev', ['--flushbufs', `${device}p1`]);
}

/** Where the first block of a file of the boot partition lies on a disk, bytes: what GRUB's `save_env` writes to. */
export async function placeOfFile(disk: string, path: string): Promise<number> {
  const { from } = await regionOf(disk, 1);
  const part = `${disk}?offset=${from}`;
  const options = { timeout: 30_000 };
  const { stdout: blocks } = await systemProcesses.run('debugfs', ['-R', `blocks /${path}`, part], options);
  const { stdout: about } = await systemProcesses.run('dumpe2fs', ['-h', part], options);
  return from + Number(blocks.trim().split(/\s+/)[0]) * Number(/Block size:\s+(\d+)/.exec(about)?.[1]);
}

/** Region of partition `number` of a raw disk. */
export async function regionOf(disk: string, number: number) {
  const place = (await partitionPlaces(disk)).find((each) => each.number === number);
  if (place === undefined) throw new Error(`${disk} has no partition ${number}`);
  return place;
}

async function run(tool: string, args: readonly string[]): Promise<void> {
  await systemProcesses.run(tool, args, { timeout: 60_000 });
}
