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

/** Every mount point of this process's namespace, in the order they were mounted. */
export async function mountPoints(): Promise<string[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8');
  return text
    .split('\n')
    .map((line) => line.split(' ')[4])
    .filter((point) => point !== undefined)
    .map((point) =>
      point.replaceAll(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    );
}
