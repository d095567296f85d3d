import { readFile, writeFile } from 'node:fs/promises';
import { type RawPath, rawPath } from '../../foundation/brand.ts';
import { setModifiedTime } from '../../native/attributes.ts';
import { rootFiles } from '../../system/root-files.ts';
import { walk } from '../../tree/walk.ts';

/** What only tells when something was built, or can be made again: left out of what a build makes, beside what a capture leaves out. */
export const buildTraces: readonly string[] = [
  '/var/log/*.log',
  '/var/log/apt/*',
  '/var/lib/apt/lists/*',
  '/var/lib/dpkg/*-old',
  '/var/cache/debconf/*-old',
  '/var/cache/ldconfig/aux-cache',
  '/etc/*-',
];

const day = 86_400;

/**
 * Takes the time of the build out of a tree, so that the same recipe makes the same tree: what was changed since `began` gets the time `epoch`; so does a password
 * that was set since. Both in seconds since 1970, `began` with their fraction: a file of the recipe that was written in the same second, but before, keeps its
 * time, as it will at the next build.
 */
export async function settleTree(root: string, began: number, epoch: number): Promise<void> {
  const now = Math.ceil(Date.now() / 1000);
  if (epoch >= began) return;
  await settlePasswords(root, Math.floor(began / day), Math.floor(now / day), Math.floor(epoch / day));
  const late: RawPath[] = [];
  for (const { absolute, status } of walk(rawPath(root)))
    if (status.mtimeSeconds + status.mtimeNanoseconds / 1e9 >= began) late.push(absolute);
  for (const path of late) setModifiedTime(path, epoch, 0);
}

/** The third field of /etc/shadow is the day on which the password was changed last. */
async function settlePasswords(root: string, from: number, to: number, epoch: number): Promise<void> {
  const files = rootFiles(root);
  const text = await files.read('etc/shadow');
  if (text === undefined) return;
  const lines = text.split('\n').map((line) => {
    const fields = line.split(':');
    const changed = Number(fields[2] || Number.NaN);
    return changed >= from && changed <= to ? fields.with(2, String(epoch)).join(':') : line;
  });
  const place = await files.resolve('etc/shadow');
  // In place: owner, group and mode stay.
  if (lines.join('\n') !== (await readFile(place, 'utf8'))) await writeFile(place, lines.join('\n'));
}
