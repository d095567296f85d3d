import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, mkdir, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { formatBytes } from '../../foundation/bytes.ts';
import { ImprintError, toImprintError } from '../../foundation/errors.ts';
import { hostMounts, hostPaths, imagePath } from '../../machine/installed-layout.ts';
import { syncFileSystem } from '../../native/files.ts';
import { imageSpace, rootSpace } from '../../planning/install-space.ts';
import { hasExt4Errors } from '../../system/ext4-state.ts';
import { probeFileSystem } from '../../system/find-partition.ts';
import { enlarge, flushFile, makeImageFile, settleBlocks } from '../../system/image-file.ts';
import { attachedInodes, attachImage } from '../../system/loop-image.ts';
import type { Processes } from '../../system/run.ts';
import { entryFiles } from './entry-files.ts';
import {
  type FilledSlot,
  type FillRequest,
  fillTree,
  mendable,
  reportOf,
  verifyFilled,
  withSlot,
} from './fill-slot.ts';

export interface FillFileRequest extends FillRequest {
  /** Where the host partition is mounted. Default: `/hostpart`. */
  host?: string;
  /** Image file of the system that runs, relative to the host partition (`images/HEX.img`): what the new one is made from. */
  running?: string;
  /** Image files that a boot entry names: never written to. */
  referenced?: readonly string[];
}

/** The file that is being filled; nothing boots it, and what a cut leaves of it is begun anew. */
const filling = `${hostPaths.images}/filling.img`;
/** Of the host partition, beside what is written. */
export const hostReserve = 96 << 20;
/** The same where image files share blocks: a block that is shared takes a new one when the system that runs writes to it. */
export const sharedReserve = 256 << 20;

/**
 * Fills an image file with a version, `images/HEX.img`. Where the host's file system can share blocks between files (xfs, btrfs) it begins as a
 * clone of the running image, and only what differs is written and takes room; elsewhere as a new one. It gets its name when it is whole, on the disk and
 * read back; nothing of it is mounted then. Names that people know, and the boot partition, are not touched.
 *
 * Errors: `slot-unfit`, `disk-full` before anything is written; `image-unfit`, `tree-differs`, `io-failed`, and those of the content.
 */
export async function fillFileSlot(request: FillFileRequest): Promise<FilledSlot> {
  const { content, task, host = `/${hostMounts.host}`, referenced = [] } = request;
  const target = imagePath(content.digest);
  if (referenced.includes(target)) {
    throw new ImprintError('slot-unfit', { slot: target, problem: 'a boot entry needs it as it is' });
  }
  const file = join(host, filling);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  // What nothing needs makes room, and what a cut has left of this.
  if (request.referenced !== undefined) await removeUnreferencedImages(request.processes, host, referenced);
  await rm(file, { force: true });
  try {
    const uuid = await beginOrNot(request, host, file);
    if (uuid !== undefined) {
      try {
        return await fill(request, { host, file, target, uuid, reused: true });
      } catch (thrown) {
        task.signal.throwIfAborted();
        const error = toImprintError(thrown);
        if (!mendable.has(error.code)) throw error;
        task.log(`what the running image holds cannot be built on (${error.message}); a new one is made`);
        await rm(file, { force: true });
      }
    }
    const fresh = randomUUID();
    await makeEmpty(request, host, file, fresh);
    return await fill(request, { host, file, target, uuid: fresh, reused: false });
  } catch (thrown) {
    await rm(file, { force: true });
    throw toImprintError(thrown);
  }
}

interface ImageFill {
  host: string;
  file: string;
  /** Its name in the end. */
  target: string;
  uuid: string;
  reused: boolean;
}

async function fill(request: FillFileRequest, image: ImageFill): Promise<FilledSlot> {
  const { task } = request;
  const { host, file, target, uuid, reused } = image;
  const root = { slot: 'file', uuid, fileSystem: 'ext4' as const };
  // Blocks of a clone become its own when they are written: then they need room.
  const planned = async (bytes: number) =>
    void (await requireFree(request, host, reused ? bytes : 0, reused ? sharedReserve : hostReserve));
  const filled = await withImage(request, file, false, (place) => fillTree(request, place, root, planned));
  await settleBlocks(file);
  await flushFile(file);
  // Read past the page cache of the host's file system, which would answer with what was written.
  const result = await withImage(request, file, true, async (place) => {
    await verifyFilled(request, place, filled);
    return { ...(await entryFiles(request, place, root)), report: reportOf(filled, reused) };
  });
  task.signal.throwIfAborted();
  await rename(file, join(host, target));
  await syncHost(join(host, hostPaths.images));
  return result;
}

async function withImage<Result>(
  request: FillFileRequest,
  file: string,
  readBack: boolean,
  work: (place: string) => Promise<Result>,
): Promise<Result> {
  await using loop = await attachImage(request.processes, file, { direct: readBack, readOnly: readBack });
  const options = readBack ? 'ro,noatime' : 'noatime';
  return await withSlot(request, { device: loop.device, type: 'ext4', options }, work);
}

/** As `begin`; nothing to begin with where there is no room for a whole clone, either. */
async function beginOrNot(request: FillFileRequest, host: string, file: string): Promise<string | undefined> {
  try {
    return await begin(request, host, file);
  } catch (thrown) {
    const error = toImprintError(thrown);
    if (!mendable.has(error.code)) throw error;
    request.task.log(`the running image cannot be built on (${error.message}); a new one is made`);
    await rm(file, { force: true });
    return undefined;
  }
}

/** Begins with a clone of the image that runs; its file system's UUID, or undefined where there is nothing to begin with. */
async function begin(request: FillFileRequest, host: string, file: string): Promise<string | undefined> {
  const { running, processes, content, task } = request;
  if (running === undefined) return undefined;
  const source = join(host, running);
  try {
    // What the running system has written by now. What it writes while the clone is made is as after a power cut, which its journal mends.
    await flushFile(source);
    await copyFile(source, file, constants.COPYFILE_FICLONE_FORCE);
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOENT') task.log(`${source} is not there; a new image is made`);
    else if (!['ENOTSUP', 'EOPNOTSUPP', 'EXDEV', 'EINVAL', 'ENOSYS', 'ENOTTY'].includes(code ?? '')) throw thrown;
    else task.log(`this file system cannot clone files (${message}); a new image is made`);
    await rm(file, { force: true });
    return undefined;
  }
  const found = await probeFileSystem(processes, file);
  if (found?.type !== 'ext4' || (await hasExt4Errors(file))) {
    await rm(file, { force: true });
    return undefined;
  }
  const needed = rootSpace(content.record.stats);
  const { size } = await stat(file);
  // A clone on XFS has holes where the original is reserved and was never written: no block must be missing when it runs.
  await settleBlocks(file);
  if (size < needed) await grow(request, file, size, needed);
  return found.uuid;
}

/** Makes a file system larger, before it is mounted. */
async function grow({ processes, task }: FillFileRequest, file: string, size: number, needed: number): Promise<void> {
  const signal = task.signal;
  const bytes = Math.ceil(needed / (1 << 20)) * (1 << 20);
  task.log(`the image file grows from ${formatBytes(size)} to ${formatBytes(bytes)}`);
  await enlarge(file, bytes);
  await processes.run('e2fsck', ['-f', '-p', file], { timeout: 1_800_000, accept: [0, 1], signal });
  await processes.run('resize2fs', [file], { timeout: 1_800_000, signal });
}

async function makeEmpty(request: FillFileRequest, host: string, file: string, uuid: string): Promise<void> {
  const { content, processes, task, running } = request;
  const { stats } = content.record;
  const { bsize, blocks } = await statfs(host);
  const like = running === undefined ? 0 : ((await stat(join(host, running)).catch(() => undefined))?.size ?? 0);
  const bytes = Math.max(like, rootSpace(stats), like === 0 ? imageSpace(stats, bsize * blocks) : 0);
  const room = await requireFree(request, host, rootSpace(stats));
  const whole = (size: number) => Math.floor(size / (1 << 20)) * (1 << 20);
  const fitting = Math.max(whole(rootSpace(stats)), Math.min(whole(bytes), whole(room)));
  const inodes = Math.ceil(stats.entries * 1.5) + 65_536;
  await makeImageFile(processes, { path: file, bytes: fitting, uuid, inodes }, task.signal);
}

/** Bytes that may be taken of the host partition; refuses where `needed` are not there. */
async function requireFree(
  { content }: FillFileRequest,
  host: string,
  needed: number,
  reserve = hostReserve,
): Promise<number> {
  const { bavail, bsize } = await statfs(host);
  const free = bavail * bsize - reserve;
  if (free >= needed) return free;
  throw new ImprintError('slot-unfit', {
    slot: imagePath(content.digest),
    problem: `${host} has ${formatBytes(bavail * bsize)} free, and ${formatBytes(needed + reserve)} are needed`,
  });
}

async function syncHost(directory: string): Promise<void> {
  await using handle = await open(directory);
  await handle.sync();
  syncFileSystem(handle.fd);
}

/**
 * Removes image files that no boot entry names, and what a cut has left of one; what is attached to a loop device stays in any case: it may be the
 * root that runs. `referenced`: as of `fillFileSlot`. Returns what went.
 */
export async function removeUnreferencedImages(
  processes: Processes,
  host: string,
  referenced: readonly string[],
): Promise<string[]> {
  const directory = join(host, hostPaths.images);
  const kept = new Set(referenced.map((path) => basename(path)));
  const names = (await readdir(directory).catch((): string[] => [])).filter((name) => name.endsWith('.img'));
  const used = await attachedInodes(processes);
  const gone: string[] = [];
  for (const name of names) {
    const path = join(directory, name);
    if (kept.has(name) || used.has((await stat(path)).ino)) continue;
    await rm(path, { force: true });
    gone.push(`${hostPaths.images}/${name}`);
  }
  return gone;
}
