import { mkdir, readFile } from 'node:fs/promises';
import type { Clock } from '../foundation/clock.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Processes } from './run.ts';

/** Mounts a device on a directory, which is made where it is missing. Errors: `process-failed`, `tool-missing`. */
export async function mountDevice(
  processes: Processes,
  mount: { device: string; directory: string; type: string; options: string },
  signal?: AbortSignal,
): Promise<void> {
  await mkdir(mount.directory, { recursive: true });
  const args = ['-t', mount.type, '-o', mount.options, mount.device, mount.directory];
  await processes.run('mount', args, { timeout: 120_000, ...(signal && { signal }) });
}

/** Options that mount a file system of any kind for reading, with no byte of it changed: no journal is played, whatever state it is in. */
export function untouchedOptions(fileSystem: string): string {
  const own = untouched[fileSystem.startsWith('ext') ? 'ext' : fileSystem] ?? [];
  return ['ro', 'nodev', 'nosuid', 'noexec', ...own].join(',');
}

const untouched: Readonly<Record<string, readonly string[]>> = {
  // Its superblock may say that the kernel shall panic on what is damaged.
  ext: ['noload', 'errors=continue'],
  xfs: ['norecovery'],
  btrfs: ['rescue=nologreplay'],
  vfat: ['iocharset=ascii'],
};

/**
 * Unmounts a directory and all that is mounted below it; nothing is mounted: nothing is done. A busy one is tried again for some seconds.
 * Errors: `process-failed`.
 */
export async function unmountTree(processes: Processes, directory: string, clock: Clock): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    const points = (await mountPoints()).filter((point) => point === directory || point.startsWith(`${directory}/`));
    if (points.length === 0) return;
    try {
      // The last mounted first.
      for (const point of points.reverse()) await processes.run('umount', [point], { timeout: 600_000 });
    } catch (thrown) {
      if (attempt === 10 || !(thrown instanceof ImprintError) || thrown.code !== 'process-failed') throw thrown;
      await clock.sleep(500);
    }
  }
}

/** Every mount point of this process's namespace that its path leads to, in the order they were mounted. */
export async function mountPoints(): Promise<string[]> {
  return visibleMountPoints(await readFile('/proc/self/mountinfo', 'utf8'));
}

/**
 * The mount points of a table as `/proc/self/mountinfo` has it, without those that something mounted later over a directory above hides: umount finds
 * no such path, and what is there now is another file system.
 */
export function visibleMountPoints(table: string): string[] {
  const mounts = table
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(' '))
    .map(([id = '', parent = '', , , point = '']) => ({ id, parent, point: unescaped(point) }));
  const ids = new Set(mounts.map(({ id }) => id));
  const isOutside = ({ id, parent }: Mount) => parent === id || !ids.has(parent);
  const visible = (mount: Mount): boolean => {
    // The root of a process in a chroot may be a directory of a mount that the table does not have.
    let at = nearest(mounts.filter(isOutside), mount.point);
    while (at !== undefined && at.id !== mount.id) {
      const { id: under } = at;
      at = nearest(
        // What is mounted over the root of a process is where others look things up, not this one: it looks from below it.
        mounts.filter(({ id, parent, point }) => parent === under && id !== under && point !== '/'),
        mount.point,
      );
    }
    return at !== undefined;
  };
  return mounts.filter(visible).map(({ point }) => point);
}

interface Mount {
  readonly id: string;
  readonly parent: string;
  readonly point: string;
}

/** Which of these mounts is come to first on the way to a path. Of two over one directory, one is mounted on the other. */
function nearest(mounts: readonly Mount[], path: string): Mount | undefined {
  return mounts.filter(({ point }) => isWithin(path, point)).sort((a, b) => a.point.length - b.point.length)[0];
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || directory === '/' || path.startsWith(`${directory}/`);
}

function unescaped(point: string): string {
  return point.replaceAll(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
