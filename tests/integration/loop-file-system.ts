import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type LoopType = 'ext4' | 'xfs' | 'btrfs';

/** A file system of its own, in a file, mounted; needs root. Disposing of it unmounts and removes it. */
export interface LoopFileSystem extends Disposable {
  /** Where it is mounted. */
  readonly path: string;
  /** The file that it lies in. */
  readonly image: string;
}

const makers: Record<LoopType, string[]> = {
  ext4: ['mkfs.ext4', '-q', '-F'],
  xfs: ['mkfs.xfs', '-q', '-f'],
  // As the product makes it.
  btrfs: ['mkfs.btrfs', '-q', '-f', '-O', '^no-holes'],
};

/** Makes and mounts a file system of `megabytes`; the file is sparse. */
export function mountLoop(type: LoopType, megabytes: number, options = 'loop'): LoopFileSystem {
  const base = mkdtempSync(join(tmpdir(), `imprint-${type}-`));
  const image = join(base, 'image');
  const path = join(base, 'mount');
  writeFileSync(image, '');
  truncateSync(image, megabytes * 1024 * 1024);
  const [maker = '', ...makerArguments] = makers[type];
  execFileSync(maker, [...makerArguments, image], { stdio: 'pipe' });
  execFileSync('mkdir', [path]);
  execFileSync('mount', ['-o', options, '-t', type, image, path], { stdio: 'pipe' });
  return {
    path,
    image,
    [Symbol.dispose]() {
      execFileSync('umount', [path], { stdio: 'pipe' });
      rmdirSync(path);
      rmSync(base, { recursive: true, force: true });
    },
  };
}
