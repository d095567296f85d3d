import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/foundation/clock.ts';
import { mountDevice, unmountTree } from '../../src/system/mount.ts';
import { systemProcesses } from '../../src/system/run.ts';

/** A disk made of a sparse file, and a directory beside it; both go with `await using`. */
export interface LoopDisk extends AsyncDisposable {
  readonly device: string;
  readonly file: string;
  readonly directory: string;
}

export async function loopDisk(bytes: number): Promise<LoopDisk> {
  const directory = await mkdtemp(join(tmpdir(), 'imprint-disk-'));
  const file = join(directory, 'disk.img');
  await using handle = await open(file, 'w');
  await handle.truncate(bytes);
  const { stdout } = await systemProcesses.run('losetup', ['--find', '--show', file]);
  const device = stdout.trim();
  return {
    device,
    file,
    directory,
    async [Symbol.asyncDispose]() {
      await unmountTree(systemProcesses, directory, systemClock).catch(() => {});
      await systemProcesses.run('partx', ['--delete', device], { accept: [0, 1] });
      await systemProcesses.run('losetup', ['--detach', device]);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Its ext4, mounted for a moment: what others wrote to the file behind it (GRUB's own programs) is seen, and they see what `work` writes. */
export async function onDisk<Result>(disk: LoopDisk, work: (root: string) => Promise<Result>): Promise<Result> {
  const { device } = disk;
  const directory = join(disk.directory, 'look');
  await systemProcesses.run('blockdev', ['--flushbufs', device]);
  await mountDevice(systemProcesses, { device, directory, type: 'ext4', options: 'rw,noatime' });
  try {
    return await work(directory);
  } finally {
    await unmountTree(systemProcesses, directory, systemClock);
    await systemProcesses.run('blockdev', ['--flushbufs', device]);
  }
}
