import { execFileSync, spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Workshop } from './workshop.ts';

/** A new ext4 in a sparse file, mounted; as root. Elsewhere a directory, which costs all alike. */
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
