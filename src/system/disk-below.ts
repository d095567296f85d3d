import { realpath, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';

/** The disk on which a file lies, as far as its file system is right on a partition; else undefined. */
export async function diskBelow(file: string): Promise<string | undefined> {
  const { dev } = await stat(file);
  // As glibc's major() and minor().
  const major = (dev >> 8) & 0xfff;
  const minor = (dev & 0xff) | ((dev >> 12) & 0xfff00);
  const device = await realpath(`/sys/dev/block/${major}:${minor}`).catch(() => undefined);
  if (device === undefined) return undefined;
  const above = basename(dirname(device));
  return `/dev/${above === 'block' ? basename(device) : above}`;
}
