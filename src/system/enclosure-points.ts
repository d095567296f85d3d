import { lstat, mkdir, realpath, rmdir, unlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { rawPath } from '../foundation/brand.ts';
import { setModifiedTime } from '../native/attributes.ts';
import { status } from '../native/status.ts';
import type { Enclosure } from './enclosure.ts';
import { rootFiles } from './root-files.ts';

/** An empty file or directory that something is mounted on. */
export interface MountPoint {
  /** Relative to the tree's root. */
  path: string;
  kind: 'file' | 'directory';
}

/** Where the mounts of an enclosure go in a tree. */
export interface EnclosurePoints extends Pick<Enclosure, 'resolvConf' | 'policy'> {
  /** Those that the tree does not have: to be made before, and removed after. */
  missing: MountPoint[];
}

/** Looks where the mounts go; changes nothing. */
export async function findEnclosurePoints(root: string): Promise<EnclosurePoints> {
  const files = rootFiles(root);
  const missing: MountPoint[] = [];
  for (const path of ['proc', 'sys', 'dev', 'run'])
    if (!(await there(root, path))) missing.push({ path, kind: 'directory' });
  const file = async (wanted: string): Promise<string | undefined> => {
    const path = relative(root, await files.resolve(wanted));
    // In /run it is made anew each time.
    if (path.startsWith('run/')) return path;
    if (!(await there(root, dirname(path)))) return undefined;
    if (!(await there(root, path))) missing.push({ path, kind: 'file' });
    return path;
  };
  const resolvConf = await file('etc/resolv.conf');
  // invoke-rc.d asks it: Debian and its kin.
  const policy = (await files.exists('var/lib/dpkg')) ? await file('usr/sbin/policy-rc.d') : undefined;
  return {
    missing,
    ...(resolvConf === undefined ? {} : { resolvConf }),
    ...(policy === undefined ? {} : { policy }),
  };
}

/** Makes mount points; the directories that they lie in keep their times. */
export async function makeMountPoints(root: string, points: readonly MountPoint[]): Promise<void> {
  for (const { path, kind } of points) {
    const place = await placeInTree(root, path);
    if (place === undefined) continue;
    await keepingTime(dirname(place), async () => {
      if (kind === 'directory') await mkdir(place, { mode: 0o755 }).catch(unless('EEXIST'));
      else await writeFile(place, '', { mode: 0o644, flag: 'wx' }).catch(unless('EEXIST'));
    });
  }
}

/** Takes mount points away again, unless something is in them now. The directories that they lie in keep their times. */
export async function removeMountPoints(root: string, points: readonly MountPoint[]): Promise<void> {
  for (const { path, kind } of points.toReversed()) {
    const place = await placeInTree(root, path);
    if (place === undefined) continue;
    const found = await lstat(place).catch(unless('ENOENT', 'ENOTDIR'));
    if (found === undefined) continue;
    const empty = kind === 'directory' ? found.isDirectory() : found.isFile() && found.size === 0;
    if (!empty) continue;
    await keepingTime(dirname(place), async () => {
      if (kind === 'directory') await rmdir(place).catch(unless('ENOTEMPTY'));
      else await unlink(place);
    });
  }
}

/** Where a mount point lies; undefined where its directory has gone, or leads out of the tree since it was worked in. */
async function placeInTree(root: string, path: string): Promise<string | undefined> {
  const top = await realpath(root);
  const directory = await realpath(join(root, dirname(path))).catch(unless('ENOENT', 'ENOTDIR', 'ELOOP'));
  if (directory === undefined || (directory !== top && !directory.startsWith(`${top}/`))) return undefined;
  return join(directory, basename(path));
}

async function keepingTime(directory: string, work: () => Promise<void>): Promise<void> {
  const place = rawPath(directory);
  const { mtimeSeconds, mtimeNanoseconds } = status(place);
  await work();
  setModifiedTime(place, mtimeSeconds, mtimeNanoseconds);
}

async function there(root: string, path: string): Promise<boolean> {
  return (await lstat(join(root, path)).catch(unless('ENOENT', 'ENOTDIR'))) !== undefined;
}

function unless(...codes: string[]): (error: NodeJS.ErrnoException) => undefined {
  return (error) => {
    if (error.code === undefined || !codes.includes(error.code)) throw error;
    return undefined;
  };
}
