import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { netbootMediaInputSchema } from '../../contract/operations/media.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { parseImagerRecord } from '../../machine/imager-record.ts';
import type { RootFileSystem } from '../../machine/root-file-system.ts';
import { imagerRecordName, makeImager } from '../build-imager.ts';
import type { Context } from '../context.ts';
import type { ImagerParts } from './imager-parts.ts';
import { kernelOfImage, missingDrivers } from './take-kernel.ts';

/** Drivers that a live system's root is made of, and those of the file systems that its version lies on. */
const rootDrivers = ['nbd', 'dm_mod', 'dm_snapshot', 'loop', 'ext4', 'isofs', 'vfat'];

/** What a live system is started from. */
export type LiveForm = 'usb' | 'iso' | 'partition';

/** Drivers without which most machines do not find that. A kernel made for virtual machines may do without. */
const carriers: Readonly<Record<LiveForm, { drivers: readonly string[]; where: string }>> = {
  usb: { drivers: ['usb_storage', 'sd_mod', 'xhci_pci'], where: 'in a USB port' },
  iso: { drivers: ['sr_mod', 'ahci'], where: 'in an optical drive' },
  partition: { drivers: ['sd_mod'], where: 'on a disk' },
};

export interface LiveImager extends ImagerParts {
  /** What it will not do on every machine. */
  warnings: string[];
}

export interface LiveImagerWish {
  reference: string;
  form: LiveForm;
  /** Of the live system's root; absent: ext4. */
  fileSystem?: RootFileSystem;
}

/** The imager with which a version starts as a live system: its kernel is that version's own, since it goes on as the kernel of that. */
export type MakeLiveImager = (context: Context, wish: LiveImagerWish, task: Task) => Promise<LiveImager>;

/**
 * Makes it; the netboot's imager stays as it is. Errors: those of `missingDrivers`, `kernelOfImage` and `makeImager`; `imager-unbuilt` for a kernel that no live root can be made with.
 */
export const liveImager: MakeLiveImager = async (context, wish, task) => {
  const { reference } = wish;
  const warnings = await task.part('look at its kernel', (part) => lookAtKernel(context, wish, part));
  const kernel = await kernelOfImage(context, reference, task);
  const text = await readFile(join(context.paths.netboot, imagerRecordName), 'utf8').catch(() => undefined);
  const suite = (text === undefined ? undefined : parseImagerRecord(text)?.suite) ?? defaultSuite;
  const { base, overlay } = await makeImager(context, { suite, refresh: false, kernel }, task);
  const [bytes, archive] = [await readFile(base.kernel), await readFile(base.archive)];
  const initrd = Buffer.concat([archive, overlay]);
  const fingerprint = [bytes, initrd].map((each) => hash('sha256', each, 'hex'));
  return { kernel: bytes, initrd, fingerprint, warnings };
};

/** What the kernel of a version will not do on every machine. Errors: those of `missingDrivers`, `imager-unbuilt`. */
export async function lookAtKernel(
  context: Context,
  { reference, form, fileSystem = 'ext4' }: LiveImagerWish,
  task: Task,
): Promise<string[]> {
  const { drivers, where } = carriers[form];
  const needed = [...new Set([...rootDrivers, fileSystem])];
  const { image, version, missing } = await missingDrivers(context, reference, [...needed, ...drivers], task);
  const lost = missing.filter((name) => needed.includes(name));
  if (lost.length > 0) {
    throw new ImprintError('imager-unbuilt', {
      problem: `${image} cannot run as a live system: its kernel ${version} has no ${lost.join(', ')}`,
      hint: 'Install a kernel that has them on the golden machine (of Debian: linux-image-amd64; of Ubuntu also linux-modules-extra) and capture it again, or leave out --live: installs need none of this.',
    });
  }
  if (missing.length === 0) return [];
  return [
    `the kernel of ${image}, ${version}, has no ${missing.join(', ')}: ${where} it will not find what it was started from, neither to run nor to install`,
  ];
}

const defaultSuite = netbootMediaInputSchema.parse({}).suite;
