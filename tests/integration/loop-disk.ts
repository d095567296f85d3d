import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/foundation/clock.ts';
import { unmountTree } from '../../src/system/mount.ts';
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
