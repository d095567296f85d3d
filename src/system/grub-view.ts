import type { Processes } from './run.ts';

/**
 * What GRUB itself would see in a partition: `grub-fstest` has its drivers, reads a disk, an image or a partition where it lies, and mounts
 * nothing, so that no journal is replayed and no sleeping Windows is woken.
 */
export interface GrubPlace {
  /** A disk, an image, or a partition's own device. */
  path: string;
  /** `(loop0)`, `(loop0,gpt3)`, `(loop0,msdos5)`. */
  device: string;
}

const options = { timeout: 60_000, accept: [0, 1] };

/** Names in a directory, without a `/` behind those of directories; none where there is none. Errors: `tool-missing`, `process-failed`. */
export async function grubList(
  processes: Processes,
  { path, device }: GrubPlace,
  directory: string,
): Promise<string[]> {
  const { stdout } = await processes.run(
    'grub-fstest',
    [path, 'ls', `${device}${directory.replace(/\/?$/, '/')}`],
    options,
  );
  return stdout
    .split(/\s+/)
    .map((name) => name.replace(/\/$/, ''))
    .filter((name) => name !== '' && name !== '.' && name !== '..');
}

/** A text file; undefined where there is none. Errors: `tool-missing`, `process-failed`. */
export async function grubRead(
  processes: Processes,
  { path, device }: GrubPlace,
  file: string,
): Promise<string | undefined> {
  const { stdout, stderr } = await processes.run('grub-fstest', [path, 'cat', `${device}${file}`], options);
  return stdout === '' && stderr !== '' ? undefined : stdout;
}
