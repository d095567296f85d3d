import { lstat, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { hostPaths } from '../../machine/installed-layout.ts';

/** The image files by what they are now, relative to the host partition: `images/HEX.img`. */
export interface HostView {
  current: string;
  old?: string;
  broken?: string;
}

/**
 * Makes the names that people know (`hn-root.img` and its relatives) point at the image files: a view, which nothing boots by. Each name is
 * replaced at once; one that has nothing to show goes. A file that somebody put under one of them is kept, with `.aside` after its name, but for one that was
 * given up before.
 */
export async function writeHostView(host: string, view: HostView): Promise<void> {
  for (const name of ['current', 'old', 'broken'] as const) {
    const link = join(host, hostPaths[name]);
    const target = view[name];
    if (target === undefined) {
      // A file of that name is somebody's: an image that was dropped and did not prove healthy.
      if ((await lstat(link).catch(() => undefined))?.isSymbolicLink()) await rm(link, { force: true });
      continue;
    }
    if (name !== 'broken' && (await isTaken(link, 'file'))) await rename(link, await freeName(link));
    await rm(`${link}.new`, { force: true });
    await symlink(target, `${link}.new`);
    await rename(`${link}.new`, link);
  }
}

/** Whether something is there: `file`: that is no link, as ours are. */
async function isTaken(path: string, what: 'file' | 'anything'): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  return found !== undefined && (what === 'anything' || !found.isSymbolicLink());
}

async function freeName(path: string): Promise<string> {
  let free = `${path}.aside`;
  while (await isTaken(free, 'anything')) free += '~';
  return free;
}
