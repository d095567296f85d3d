import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { netbootMediaInputSchema } from '../../contract/operations/media.ts';
import type { Task } from '../../foundation/task.ts';
import { parseImagerRecord } from '../../machine/imager-record.ts';
import { imagerRecordName, makeImager } from '../build-imager.ts';
import type { Context } from '../context.ts';
import type { ImagerParts } from './imager-parts.ts';
import { kernelOfImage, requireDrivers } from './take-kernel.ts';

/** Drivers that a live system's root is made of, and those of the media that its version lies on. */
export const liveDrivers: readonly string[] = ['nbd', 'dm_mod', 'dm_snapshot', 'loop', 'ext4', 'isofs', 'vfat'];

/** The imager with which a version starts as a live system: its kernel is that version's own, since it goes on as the kernel of that. */
export type MakeLiveImager = (context: Context, reference: string, task: Task) => Promise<ImagerParts>;

/**
 * Makes it; the netboot's imager stays as it is. Errors: those of `requireDrivers` and `makeImager`.
 */
export const liveImager: MakeLiveImager = async (context, reference, task) => {
  const needs = {
    names: liveDrivers,
    purpose: 'run as a live system',
    hint: 'Install a kernel that has them on the golden machine (of Debian: linux-image-amd64; of Ubuntu also linux-modules-extra) and capture it again, or leave out --live: installs need none of this.',
  };
  await task.part('look at its kernel', (part) => requireDrivers(context, reference, needs, part));
  const kernel = await kernelOfImage(context, reference, task);
  const text = await readFile(join(context.paths.netboot, imagerRecordName), 'utf8').catch(() => undefined);
  const suite = (text === undefined ? undefined : parseImagerRecord(text)?.suite) ?? defaultSuite;
  const { base, overlay } = await makeImager(context, { suite, refresh: false, kernel }, task);
  const [bytes, archive] = [await readFile(base.kernel), await readFile(base.archive)];
  const initrd = Buffer.concat([archive, overlay]);
  return { kernel: bytes, initrd, fingerprint: [bytes, initrd].map((each) => hash('sha256', each, 'hex')) };
};

const defaultSuite = netbootMediaInputSchema.parse({}).suite;
