import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../foundation/clock.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { frugalNames } from '../../machine/live-menu.ts';
import type { LiveFrugalStart } from '../../machine/live-start.ts';
import { findFileSystem, probeFileSystem } from '../../system/find-partition.ts';
import { attachImage } from '../../system/loop-image.ts';
import { mountDevice, unmountTree, untouchedOptions } from '../../system/mount.ts';
import type { Processes } from '../../system/run.ts';
import { frugalRecordSchema } from '../media/frugal-record.ts';
import { storeInMemoryOrThere } from './copy-to-memory.ts';

/** Where the version of a live start from a partition was found, and where its changes go. */
export interface OpenLiveStart {
  /** The store's directory. */
  store: string;
  /** `web:3` */
  image: string;
  /** Whether the store is in memory, and nothing holds what it came from. */
  inMemory: boolean;
  /** A block device for what the system writes; absent: that is kept in memory. */
  changes?: {
    device: string;
    /** Bytes. */
    size: number;
    /** Whether it was never written: all zeros at its beginning, where the kernel looks for what it is. */
    fresh: boolean;
  };
  /** Lets go of the partition; in memory there is nothing to let go of. */
  release(): Promise<void>;
}

export interface OpenLiveWish {
  start: LiveFrugalStart;
  processes: Processes;
  clock: Clock;
  /** `/run/imprint`: partitions are mounted, and versions copied, below it. */
  directory: string;
  /** Milliseconds to wait for a partition to appear. */
  patience?: number;
  /** Bytes of memory that stay free, where the version is copied into it. */
  reserve?: number;
}

/**
 * Finds what the words of a live start name, and opens it: nothing but the file for changes is written. Errors: `live-start-unfit` where it is not there; those of `copyVersionToMemory` but `memory-short`;
 * `process-failed`, `tool-missing`.
 */
export async function openLiveStart(wish: OpenLiveWish, task: Task): Promise<OpenLiveStart> {
  const { start, processes, clock } = wish;
  const mounted = join(wish.directory, 'partition');
  const device = await appeared(start.uuid, wish);
  const type = (await probeFileSystem(processes, device))?.type ?? '';
  // Without a file for changes nothing of the partition is written, not even its journal played.
  const how = start.changes === undefined ? untouchedOptions(type) : 'rw,nodev,nosuid,noexec';
  const options = type === 'btrfs' ? `${how},subvolid=5` : how;
  await mountDevice(processes, { device, directory: mounted, type, options });
  const unmount = () => unmountTree(processes, mounted, clock);
  try {
    const live = join(mounted, start.directory);
    await expectVersion(start, live);
    const store = join(live, frugalNames.store);
    if (start.changes === undefined) return await placed(start, store, unmount, wish, task);
    const file = join(live, start.changes);
    const { size, fresh } = await lookAtChanges(file);
    const loop = await attachImage(processes, file, { direct: true });
    const release = async () => {
      await loop[Symbol.asyncDispose]();
      await unmount();
    };
    return { store, image: start.image, inMemory: false, changes: { device: loop.device, size, fresh }, release };
  } catch (error) {
    await unmount();
    throw error;
  }
}

/** Leaves the store where it is, or copies it into memory and lets go of the rest. */
async function placed(
  { image, fileSystem, toram }: LiveFrugalStart,
  from: string,
  release: () => Promise<void>,
  { directory, processes, reserve }: OpenLiveWish,
  task: Task,
): Promise<OpenLiveStart> {
  if (!toram) return { store: from, image, inMemory: false, release };
  const to = join(directory, 'memory');
  const what = { reference: image, ...(fileSystem && { fileSystem }) };
  const wish = { from, to, ...what, processes, ...(reserve !== undefined && { reserve }) };
  const { store, inMemory } = await storeInMemoryOrThere(wish, task);
  if (!inMemory) return { store, image, inMemory, release };
  await release();
  return { store, image, inMemory, release: async () => {} };
}

async function appeared(uuid: string, { processes, clock, patience = 30_000 }: OpenLiveWish): Promise<string> {
  const until = clock.now() + patience;
  for (;;) {
    const device = await findFileSystem(processes, uuid);
    if (device !== undefined) return device;
    if (clock.now() >= until) throw unfit(`there is no file system ${uuid}, or there are several`);
    await clock.sleep(1000);
  }
}

/** What was put there last need not be what the menu of another disk still names. */
async function expectVersion({ image, uuid, directory }: LiveFrugalStart, live: string): Promise<void> {
  const text = await readFile(join(live, frugalNames.record), 'utf8').catch(() => undefined);
  if (text === undefined) throw unfit(`there is no live system in ${directory} of the file system ${uuid}`);
  const there = frugalRecordSchema.parse(JSON.parse(text)).image;
  if (there !== image) throw unfit(`${directory} of the file system ${uuid} has ${there}, not ${image}`);
}

async function lookAtChanges(path: string): Promise<{ size: number; fresh: boolean }> {
  await using file = await open(path).catch((cause: unknown) => {
    throw unfit(`the file for what it writes is not there: ${path}`, cause);
  });
  const { buffer, bytesRead } = await file.read(Buffer.alloc(4096), 0, 4096, 0);
  return { size: (await file.stat()).size, fresh: buffer.subarray(0, bytesRead).every((byte) => byte === 0) };
}

function unfit(problem: string, cause?: unknown): ImprintError {
  return new ImprintError('live-start-unfit', { problem }, { cause });
}
