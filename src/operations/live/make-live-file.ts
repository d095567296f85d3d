import { mkdir, open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { LiveSource } from '../../contract/image.ts';
import { type Digest, rawPath } from '../../foundation/brand.ts';
import type { Clock } from '../../foundation/clock.ts';
import { ImprintError, toImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import type { Content } from '../../planning/install-space.ts';
import type { Store, StoredVersion } from '../../store/store.ts';
import { makeRootFileSystem } from '../../system/filesystem.ts';
import { attachImage, detachImage } from '../../system/loop-image.ts';
import { mountDevice, unmountTree } from '../../system/mount.ts';
import type { Processes } from '../../system/run.ts';
import { compareTree } from '../../tree/compare-tree.ts';
import { restoreTree } from '../../tree/restore-tree.ts';
import { builtFileName } from './built-content.ts';

export interface LiveFileRequest {
  store: Store;
  source: StoredVersion;
  file: Pick<LiveSource, 'fileSystem' | 'uuid' | 'size'> & {
    /** A directory for it alone; what is there goes. It stays, for the caller to remove. */
    work: string;
  };
  processes: Processes;
  clock: Clock;
}

export interface LiveFile {
  /** The directory that holds the file, and nothing else. */
  content: string;
  /** Attributes that its file system cannot have. */
  warnings: string[];
}

/**
 * Makes a sparse file with a file system that holds a version, reads it back, and leaves it unmounted and clean. Errors: `disk-full` before anything is written,
 * or where the room went meanwhile; `tree-differs`, `process-failed`, `tool-missing`, those of `restoreTree`.
 */
export async function makeLiveFile(request: LiveFileRequest, task: Task): Promise<LiveFile> {
  const { source, file, processes, clock } = request;
  const [content, place] = [join(file.work, 'content'), join(file.work, 'root')];
  const path = join(content, builtFileName(file.fileSystem));
  await clear(request, path, place);
  await mkdir(content, { recursive: true, mode: 0o700 });
  await requireRoom(file.work, takenBy(source.record.stats));
  try {
    await using created = await open(path, 'wx', 0o600);
    await created.truncate(file.size);
    await using loop = await attachImage(processes, path);
    const { fileSystem, uuid, size } = file;
    const { device } = loop;
    const wish = { device, fileSystem, uuid, size, inodes: source.record.stats.entries, portable: true };
    await task.part(`make the ${fileSystem}`, (part) => makeRootFileSystem(processes, wish, part.signal));
    const mount = async <Result>(options: string, work: () => Promise<Result>): Promise<Result> => {
      // What programs of the version may do with root's rights is nobody's here.
      const all = `${options},nosuid,nodev,noexec`;
      await mountDevice(processes, { device, directory: place, type: fileSystem, options: all }, task.signal);
      try {
        return await work();
      } finally {
        await unmountTree(processes, place, clock);
      }
    };
    const warnings = await mount('noatime', () => write(request, place, task));
    await mount('ro,noatime', () => readBack(request, place, warnings.length > 0, task));
    return { content, warnings };
  } catch (thrown) {
    task.signal.throwIfAborted();
    throw await fullOr(thrown, file.work);
  }
}

async function write({ store, source, processes }: LiveFileRequest, place: string, task: Task): Promise<string[]> {
  const { warnings } = await task.part('write the tree', (part) =>
    restoreTree({ store, version: source, target: place, keepOnFailure: true, sync: true, task: part }),
  );
  // Blocks that were written and are free again are holes then; where it cannot be, they are stored.
  await processes.run('fstrim', [place], { timeout: 600_000, accept: [0, 1], signal: task.signal });
  return warnings;
}

/**
 * A disk that ran full under the loop device, or broke, does not always tell who wrote. Where a file has its holes is each file system's own matter.
 */
async function readBack(
  { store, source }: LiveFileRequest,
  place: string,
  isWithoutSome: boolean,
  task: Task,
): Promise<void> {
  const { digest, image, number, stats } = source.record;
  await task.part('read it back', async (part) => {
    part.expect(stats.contentBytes, 'bytes');
    let count = 0;
    const options = { store, digest: digest as Digest, directory: rawPath(place), task: part };
    for await (const { attribute, path } of compareTree(options)) {
      if (attribute === 'holes' || (attribute === 'xattr' && isWithoutSome)) continue;
      if (count === 0) part.log(`/${path} differs: ${attribute}`);
      count += 1;
    }
    if (count > 0) throw new ImprintError('tree-differs', { directory: place, reference: `${image}:${number}`, count });
  });
}

/** Removes what somebody who was killed has left. */
async function clear({ file, processes, clock }: LiveFileRequest, path: string, place: string): Promise<void> {
  await unmountTree(processes, place, clock);
  await detachImage(processes, path);
  await rm(file.work, { recursive: true, force: true });
}

/** Bytes that the file takes on its disk, at most: content, what each entry adds, and the file system's own, with a log of 64 MiB. */
function takenBy({ contentBytes, entries }: Content): number {
  return Math.ceil(contentBytes * 1.02) + entries * 2304 + (96 << 20);
}

/** Below this there is no room. */
const nothing = 4 << 20;

async function requireRoom(directory: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  if (bavail * bsize < bytes) throw new ImprintError('disk-full', { path: directory });
}

/** An error below the loop device comes as one of reading or writing; here it is said what it was. */
async function fullOr(thrown: unknown, directory: string): Promise<ImprintError> {
  const { bavail, bsize } = await statfs(directory);
  if (bavail * bsize < nothing) return new ImprintError('disk-full', { path: directory }, { cause: thrown });
  return toImprintError(thrown);
}
