import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/foundation/clock.ts';
import { unmountTree } from '../../src/system/mount.ts';
import { systemProcesses } from '../../src/system/run.ts';
import type { Region } from './cut-plan.ts';

/** A partition of a raw disk, by its number from 1. */
export interface PartitionPlace extends Region {
  readonly number: number;
  readonly uuid: string;
}

/** Where the partitions of a raw disk (or of a device) lie. */
export async function partitionPlaces(disk: string): Promise<PartitionPlace[]> {
  const { stdout } = await systemProcesses.run('sfdisk', ['--json', disk], { timeout: 30_000 });
  const { partitiontable } = JSON.parse(stdout) as {
    partitiontable: { partitions: { node: string; start: number; size: number; uuid: string }[] };
  };
  return partitiontable.partitions.map(({ node, start, size, uuid }) => ({
    number: Number(/\d+$/.exec(node)?.[0]),
    from: start * 512,
    to: (start + size) * 512,
    uuid: uuid.toLowerCase(),
  }));
}

/** A file system that is mounted for a look, by the kernel, which carries its journal on. Goes with `await using`. */
export interface Mounted extends AsyncDisposable {
  readonly path: string;
}

/** Mounts what lies in `file`, or in this part of it. */
export async function mountFile(file: string, region?: Region, options: readonly string[] = []): Promise<Mounted> {
  const path = await mkdtemp(join(tmpdir(), 'imprint-look-'));
  const part = region ? [`offset=${region.from}`, `sizelimit=${region.to - region.from}`] : [];
  try {
    await systemProcesses.run('mount', ['-o', ['loop', ...part, ...options].join(), file, path], { timeout: 60_000 });
  } catch (error) {
    await rm(path, { recursive: true });
    throw error;
  }
  return {
    path,
    async [Symbol.asyncDispose]() {
      // A loop device lives on for as long as anybody on this computer looks at it, and keeps the file system that its file lies on busy.
      await unmountTree(systemProcesses, path, systemClock);
      await rm(path, { recursive: true });
    },
  };
}

/** Runs `look` in a directory that is removed afterwards. */
export async function inDirectory<Result>(look: (directory: string) => Promise<Result>): Promise<Result> {
  const directory = await mkdtemp(join(tmpdir(), 'imprint-look-'));
  await mkdir(directory, { recursive: true });
  try {
    return await look(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Region of partition `number` of a raw disk, or of a device. */
export async function partitionPlace(disk: string, number: number): Promise<PartitionPlace> {
  const place = (await partitionPlaces(disk)).find((each) => each.number === number);
  if (place === undefined) throw new Error(`${disk} has no partition ${number}`);
  return place;
}

/** Where the first block of a file of an ext4 partition lies on a disk, bytes: what GRUB's `save_env` writes to. */
export async function placeOfFile(disk: string, number: number, path: string): Promise<number> {
  const { from } = await partitionPlace(disk, number);
  const part = `${disk}?offset=${from}`;
  const options = { timeout: 30_000 };
  const { stdout: blocks } = await systemProcesses.run('debugfs', ['-R', `blocks /${path}`, part], options);
  const { stdout: about } = await systemProcesses.run('dumpe2fs', ['-h', part], options);
  return from + Number(blocks.trim().split(/\s+/)[0]) * Number(/Block size:\s+(\d+)/.exec(about)?.[1]);
}

/** A raw disk as a device with partitions. Goes with `await using`. */
export async function attachDisk(file: string): Promise<AsyncDisposable & { readonly device: string }> {
  const { stdout } = await systemProcesses.run('losetup', ['--find', '--show', file], { timeout: 30_000 });
  const device = stdout.trim();
  await addPartitions(device);
  return {
    device,
    async [Symbol.asyncDispose]() {
      await systemProcesses.run('partx', ['--delete', device], { accept: [0, 1], timeout: 30_000 });
      await systemProcesses.run('losetup', ['--detach', device], { timeout: 30_000 });
    },
  };
}

/** Has the kernel know the partitions of a device. It refuses while somebody else on this computer looks at the device: then once more. */
async function addPartitions(device: string): Promise<void> {
  // An empty disk has none.
  const places = await partitionPlaces(device).catch(() => []);
  const nodes = places.map(({ number }) => `${device}p${number}`);
  for (let attempt = 0; attempt < 50; attempt += 1) {
    await systemProcesses.run('partx', ['--update', device], { accept: [0, 1], timeout: 30_000 });
    if (nodes.every((node) => existsSync(node))) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`the partitions of ${device} do not appear`);
}
