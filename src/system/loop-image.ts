import type { Processes } from './run.ts';

/** An image file as a block device; disposing of it lets go of it. */
export interface LoopImage extends AsyncDisposable {
  readonly device: string;
}

const patience = 60_000;

/**
 * Attaches an image file to a loop device. `direct`: reads and writes go past the page cache of the file system that holds it, where that can be.
 * Errors: `process-failed`, `tool-missing`.
 */
export async function attachImage(
  processes: Processes,
  file: string,
  { direct = false, readOnly = false }: { direct?: boolean; readOnly?: boolean } = {},
): Promise<LoopImage> {
  const args = ['--find', '--show', ...(readOnly ? ['--read-only'] : []), file];
  const { stdout } = await processes.run('losetup', args, { timeout: patience });
  const device = stdout.trim();
  // Not every file system can; then what was flushed is read from its cache.
  if (direct) await processes.run('losetup', ['--direct-io=on', device], { timeout: patience, accept: [0, 1] });
  return {
    device,
    [Symbol.asyncDispose]: async () => {
      await processes.run('losetup', ['--detach', device], { timeout: patience, accept: [0, 1] });
    },
  };
}

/** Lets go of the loop devices that somebody who was killed has left on a file. */
export async function detachImage(processes: Processes, file: string): Promise<void> {
  const args = ['--list', '--noheadings', '--output', 'NAME', '--associated', file];
  const { stdout } = await processes.run('losetup', args, { timeout: patience });
  for (const device of stdout.split('\n').map((line) => line.trim())) {
    if (device !== '') await processes.run('losetup', ['--detach', device], { timeout: patience, accept: [0, 1] });
  }
}

/** Inodes of all files that are attached to a loop device, on whatever file system. */
export async function attachedInodes(processes: Processes): Promise<ReadonlySet<number>> {
  const args = ['--list', '--noheadings', '--output', 'BACK-INO'];
  const { stdout } = await processes.run('losetup', args, { timeout: patience });
  return new Set(
    stdout
      .split('\n')
      .map((line) => Number(line.trim()))
      .filter((inode) => inode > 0),
  );
}
