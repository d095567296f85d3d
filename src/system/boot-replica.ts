import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../foundation/clock.ts';
import { ImprintError } from '../foundation/errors.ts';
import { choosePointer, parsePointer } from '../machine/boot-pointer-block.ts';
import { bootPartitionPaths } from '../machine/installed-layout.ts';
import { syncDirectory } from '../store/durable.ts';
import { type BootMount, mountBootPartition } from './boot-mount.ts';
import { makeBootFileSystem } from './filesystem.ts';
import type { Processes } from './run.ts';

export interface ReplicaWish {
  /** Where the boot partition that counts is mounted. */
  source: string;
  /** The other one, and where it is mounted meanwhile. */
  device: string;
  uuid: string;
  mountAt: string;
}

/** Makes a copy of a boot partition on another disk, whatever was there. Errors: `process-failed`, `disk-full`, `io-failed`, `boot-partition-unfit`. */
export async function makeReplica(
  processes: Processes,
  clock: Clock,
  wish: ReplicaWish,
  signal?: AbortSignal,
): Promise<void> {
  await makeBootFileSystem(processes, wish, signal);
  await keepReplica(processes, clock, wish);
}

/** Makes the boot partition of another disk like the one that counts. Errors: as `makeReplica`. */
export async function keepReplica(processes: Processes, clock: Clock, wish: ReplicaWish): Promise<void> {
  const { source, device, uuid, mountAt } = wish;
  await using mount = await mountBootPartition(processes, clock, { device, directory: mountAt, readOnly: false });
  await makeAlike(source, mount, uuid);
}

/**
 * Where the boot partition of another disk knows a later state than the one that is open, brings that one to it: the disk that the machine was started from was away
 * while something changed. Answers whether it did. Errors: as `makeReplica`.
 */
export async function adoptNewer(
  processes: Processes,
  clock: Clock,
  { open, device, mountAt }: { open: BootMount; device: string; mountAt: string },
): Promise<boolean> {
  await using other = await mountBootPartition(processes, clock, { device, directory: mountAt, readOnly: true });
  if ((await sequenceOf(other.directory)) <= (await sequenceOf(open.directory))) return false;
  await makeAlike(other.directory, open, await ownUuid(open.directory));
  return true;
}

/** Number of the pointer's record; 0 where none is whole. */
async function sequenceOf(directory: string): Promise<number> {
  const [a, b] = await Promise.all(
    bootPartitionPaths.pointers.map(async (path) => parsePointer(await readFile(join(directory, path)))).map(orAbsent),
  );
  return choosePointer(a, b)?.sequence ?? 0;
}

function orAbsent<Value>(found: Promise<Value | undefined>): Promise<Value | undefined> {
  return found.catch(() => undefined);
}

/**
 * Makes a boot partition like another one, so that either starts the machine at any moment in between: what is new goes before the records that name
 * it, and what they name no longer goes last. Each has its own UUID in its `grub.cfg`.
 */
async function makeAlike(source: string, mount: BootMount, uuid: string): Promise<void> {
  const target = mount.directory;
  for (const path of ['imprint', bootPartitionPaths.slots, bootPartitionPaths.grub]) {
    await mkdir(join(target, path), { recursive: true });
  }
  const { slots, grub } = bootPartitionPaths;
  const own = await ownUuid(source);
  const entries = await namesIn(join(source, slots));
  let changed = false;
  for (const id of entries) changed = (await copyEntry(join(source, slots, id), join(target, slots, id))) || changed;
  changed = (await copyTree(join(source, grub), join(target, grub), (text) => text.replaceAll(own, uuid))) || changed;
  if (changed) await mount.settle();
  // In place: one that is cut off does not count, and what the other one names is still there.
  let noted = false;
  for (const name of await namesIn(join(source, 'imprint'))) {
    noted = (await overwrite(join(source, 'imprint', name), join(target, 'imprint', name))) || noted;
  }
  if (noted) await mount.settle();
  const surplus = (await namesIn(join(target, slots))).filter((id) => !entries.includes(id));
  for (const id of surplus) {
    await rm(join(target, slots, id, 'entry.cfg'), { force: true });
    await rm(join(target, slots, id), { recursive: true, force: true });
  }
  if (surplus.length > 0) await mount.settle();
}

/** The UUID by which a boot partition names itself. Errors: `boot-partition-unfit`. */
export async function ownUuid(directory: string): Promise<string> {
  const config = await readFile(join(directory, bootPartitionPaths.menu), 'utf8').catch(() => '');
  const uuid = /^set imprint_uuid='?([\w-]+)'?$/m.exec(config)?.[1];
  if (uuid !== undefined) return uuid;
  throw new ImprintError('boot-partition-unfit', {
    device: directory,
    problem: 'its menu does not say which one it is',
  });
}

/** An entry is there whole or not at all: `entry.cfg` makes it one. */
async function copyEntry(source: string, target: string): Promise<boolean> {
  const names = await namesIn(source);
  if (await isSame(source, target, names)) return false;
  await rm(join(target, 'entry.cfg'), { force: true });
  await rm(target, { recursive: true, force: true });
  await mkdir(target, { recursive: true });
  for (const name of [...names.filter((each) => each !== 'entry.cfg'), 'entry.cfg']) {
    if (!names.includes(name)) continue;
    await copyWhole(join(source, name), join(target, name));
  }
  await syncDirectory(target);
  return true;
}

/** Whether an entry has the same files: their hashes stand in `entry.json`. */
async function isSame(source: string, target: string, names: readonly string[]): Promise<boolean> {
  for (const name of names) {
    const [one, other] = await Promise.all(
      [source, target].map((place) => stat(join(place, name)).catch(() => undefined)),
    );
    if (one === undefined || one.size !== other?.size) return false;
    if (!/^entry\./.test(name)) continue;
    const [left, right] = await Promise.all([source, target].map((place) => readFile(join(place, name))));
    if (left === undefined || right === undefined || !left.equals(right)) return false;
  }
  return true;
}

/** GRUB's modules and menu; of text files `change` makes what they say there. */
async function copyTree(source: string, target: string, change: (text: string) => string): Promise<boolean> {
  let changed = false;
  for (const entry of await readdir(source, { withFileTypes: true })) {
    const [from, to] = [join(source, entry.name), join(target, entry.name)];
    if (entry.isDirectory()) {
      await mkdir(to, { recursive: true });
      changed = (await copyTree(from, to, change)) || changed;
    } else if (entry.name.endsWith('.cfg')) {
      const text = Buffer.from(change(await readFile(from, 'utf8')));
      const there = await readFile(to).catch(() => undefined);
      if (there?.equals(text)) continue;
      await writeWhole(to, text);
      changed = true;
    } else if ((await stat(to).catch(() => undefined))?.size !== (await stat(from)).size) {
      await copyWhole(from, to);
      changed = true;
    }
  }
  return changed;
}

/** Bytes of a record where they lie: no block and no size changes, so that GRUB sees the one or the other. */
async function overwrite(source: string, target: string): Promise<boolean> {
  const bytes = await readFile(source);
  const there = await readFile(target).catch(() => undefined);
  if (there?.equals(bytes)) return false;
  if (there?.length === bytes.length) {
    await using handle = await open(target, 'r+');
    await handle.write(bytes, 0, bytes.length, 0);
    await handle.sync();
  } else {
    await writeWhole(target, bytes);
  }
  return true;
}

async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  await using handle = await open(path, 'w', 0o600);
  await handle.writeFile(bytes);
  await handle.sync();
}

async function copyWhole(from: string, to: string): Promise<void> {
  await rm(to, { force: true });
  await copyFile(from, to);
  {
    await using handle = await open(to, 'r+');
    await handle.sync();
  }
  if ((await hashOf(from)) === (await hashOf(to))) return;
  throw new ImprintError('io-failed', { operation: 'copying to', path: to, problem: 'it reads back differently' });
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(piece);
  return hash.digest('hex');
}

async function namesIn(directory: string): Promise<string[]> {
  return (await readdir(directory).catch((): string[] => [])).sort();
}
