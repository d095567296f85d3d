import { execFileSync, spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { quoted, type Workshop } from './workshop.ts';

/**
 * A new ext4 in a sparse file, mounted; as root. Elsewhere a directory, which costs all alike. Made anew each time: nobody pays for what another left, for the
 * commands to the disk by which some mounts give up the place of each removed file (`discard`), or for the removal of a tree afterwards.
 */
export function mountEmptyExt4(workshop: Workshop): Disposable & { directory: string } {
  const place = workshop.empty('target');
  if (process.getuid?.() !== 0) return { directory: place, [Symbol.dispose]: () => workshop.remove('target') };
  const file = join(workshop.work, 'target.ext4');
  rmSync(file, { force: true });
  execFileSync('truncate', ['-s', '16G', file]);
  execFileSync('mkfs.ext4', ['-q', '-E', 'lazy_itable_init=1', file]);
  execFileSync('mount', ['-o', 'loop', file, place]);
  return {
    directory: place,
    [Symbol.dispose]: () => {
      spawnSync('umount', [place], { stdio: 'inherit' });
      rmSync(file, { force: true });
    },
  };
}

/** A shell command that copies a tree and waits until all of it is on disk: what the kernel still had to write were else charged to who comes next. */
export function copyToDisk(tree: string, target: string): string {
  return `cp -a ${quoted(tree)} ${quoted(target)} && sync -f ${quoted(target)}`;
}
