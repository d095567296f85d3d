import { mkdir, open, readFile, rename, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import { builtFileSystems } from '../../contract/image.ts';
import type { FrugalMediaInput, FrugalMediaOutput } from '../../contract/operations/media.ts';
import type { Digest } from '../../foundation/brand.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { splitKernelOptions } from '../../machine/kernel-options.ts';
import { frugalNames, renderFrugalMenu } from '../../machine/live-menu.ts';
import { liveKernelOptions } from '../../machine/live-start.ts';
import { frugalRoom } from '../../planning/frugal-room.ts';
import { isThere } from '../../store/directory-files.ts';
import { DirectoryStore } from '../../store/directory-store.ts';
import { writing } from '../../store/durable.ts';
import { requireCopyable } from '../../store/open-store.ts';
import { checkGrubScript } from '../../system/grub-script.ts';
import { readDisks } from '../../system/machine-facts.ts';
import { type MenuPlace, settleForGrub } from '../../system/menu-place.ts';
import type { Processes } from '../../system/run.ts';
import type { Context } from '../context.ts';
import { planVersionCopy } from '../live/copy-version.ts';
import { liveSourceOf } from '../live/live-source-of.ts';
import { resolveInstallable } from '../resolve-installable.ts';
import { openFrugalPlace } from './frugal-place.ts';
import { frugalRecordSchema } from './frugal-record.ts';
import { addGrubEntry, removeGrubEntry } from './grub-entry.ts';
import { liveImager, type MakeLiveImager } from './live-imager.ts';

/** What a test puts in place of what this machine has. */
export interface FrugalOptions {
  makeLive?: MakeLiveImager;
  /** Absent: `/`. */
  root?: string;
}

/**
 * `imprint media frugal`: a directory with kernel, initial RAM disk, a store of one version, room for what the system writes, and a menu that starts it. It appears when it is whole.
 *
 * Errors: those of `frugalMedia`, `interrupted`.
 */
export async function writeFrugal(
  context: Context,
  input: FrugalMediaInput,
  task: Task,
  { makeLive = liveImager, root = '/' }: FrugalOptions = {},
): Promise<FrugalMediaOutput> {
  const { processes, storeLocation } = context;
  const { image: reference, changes, force } = input;
  const rootType = builtFileSystems.find((each) => each === input.fileSystem);
  if (reference === undefined) throw invalid('--image', 'name the version that is to run');
  requireCopyable(storeLocation);
  await using opened = await openFrugalPlace(processes, input.target);
  const { place } = opened;
  const { directory, path, uuid, fileSystem } = place;
  if (!force && (await isThere(directory)))
    throw new ImprintError('target-exists', { path: directory, problem: 'a live system is there already' });
  const { image, digest } = await resolveInstallable(context, reference);
  const ofRoot = rootType && { fileSystem: rootType };
  // Before the imager is made, which takes minutes.
  const built = rootType && (await liveSourceOf(context, image, rootType)).built;
  const imager = await makeLive(context, { reference: image, form: 'partition', ...ofRoot }, task);
  for (const warning of imager.warnings) task.warn(warning);
  const store = await DirectoryStore.open(storeLocation);
  const made = `${directory}.new`;
  try {
    await using _lease = await store.lease(digest);
    await using _builtLease = built && (await store.lease(built.record.digest as Digest));
    const copy = await planVersionCopy(store, image, rootType);
    const bytes = imager.kernel.length + imager.initrd.length;
    const files = { imager: bytes, store: copy.bytes, ...(changes !== undefined && { changes }) };
    await expectRoom(place, frugalRoom(files, fileSystem));
    const { record } = await store.find(image);
    const options = [
      ...liveKernelOptions(record.source.kernelOptions),
      ...['loglevel=4', ...(await consoles())],
      ...splitKernelOptions(input.kernelOptions ?? ''),
    ];
    const menu = renderFrugalMenu({ uuid, directory: path, image, ...ofRoot, changes: changes !== undefined, options });
    await checkGrubScript(processes, menu);
    await rm(made, { recursive: true, force: true });
    await mkdir(made);
    await task.part('copy the version', (part) => copy.write(join(made, frugalNames.store), part));
    const about = {
      format: 1,
      kind: 'imprint-live',
      image,
      digest,
      ...(changes !== undefined && { changes }),
    } as const;
    const texts: [string, Uint8Array | string][] = [
      [frugalNames.kernel, imager.kernel],
      [frugalNames.initrd, imager.initrd],
      [frugalNames.record, `${JSON.stringify(about satisfies z.infer<typeof frugalRecordSchema>)}\n`],
      [frugalNames.menu, menu],
    ];
    for (const [name, content] of texts) await writing(directory, () => writeFile(join(made, name), content));
    if (changes !== undefined) await makeChanges(processes, join(made, frugalNames.changes), changes, fileSystem);
    await task.part('have it last', () => putInPlace(processes, place, made));
  } catch (error) {
    await rm(made, { recursive: true, force: true }).catch(() => {});
    throw error;
  } finally {
    await store.close();
  }
  const wanted = input.entry && !(await canBePulledOut(processes, place));
  const entry = wanted ? await addGrubEntry({ processes, root }, { uuid, directory: path, image }) : undefined;
  return {
    ...{ directory, path, uuid, image, digest, bytes: await sizeOf(processes, directory), removed: false },
    ...(changes !== undefined && { changes }),
    ...(entry !== undefined && { entry }),
  };
}

/** Takes one away, its entry first. Errors: `boot-place-unfit`, `input-invalid` where there is none, `io-failed`. */
export async function removeFrugal(
  { processes }: Pick<Context, 'processes'>,
  { target }: Pick<FrugalMediaInput, 'target'>,
  { root = '/' }: Pick<FrugalOptions, 'root'> = {},
): Promise<FrugalMediaOutput> {
  await using opened = await openFrugalPlace(processes, target);
  const { place } = opened;
  const { directory, path, uuid } = place;
  const text = await readFile(join(directory, frugalNames.record), 'utf8').catch(() => undefined);
  if (text === undefined) throw invalid('TARGET', `there is no live system in ${directory}`);
  const { image } = frugalRecordSchema.parse(JSON.parse(text));
  const bytes = await sizeOf(processes, directory);
  const entry = await removeGrubEntry({ processes, root }, { uuid, directory: path });
  await writing(directory, () => rm(directory, { recursive: true }));
  await settleForGrub(processes, place);
  return { ...{ directory, path, uuid, image, bytes, removed: true }, ...(entry !== undefined && { entry }) };
}

/** All zeros: so the kernel knows that nothing was written yet. On FAT they are written, elsewhere it is one hole. */
async function makeChanges(processes: Processes, path: string, bytes: number, fileSystem: string): Promise<void> {
  await writing(path, async () => {
    await using file = await open(path, 'wx', 0o600);
    // The system writes into it at random places: copies of each would be kept.
    if (fileSystem === 'btrfs') await processes.run('chattr', ['+C', path], { accept: [0, 1] });
    await file.truncate(bytes);
    await file.sync();
  });
}

/** Everything lasts before it appears by its name. */
async function putInPlace(processes: Processes, place: MenuPlace, made: string): Promise<void> {
  const { directory } = place;
  const old = `${directory}.old`;
  await settleForGrub(processes, place);
  await writing(directory, async () => {
    await rm(old, { recursive: true, force: true });
    if (await isThere(directory)) await rename(directory, old);
    await rename(made, directory);
  });
  await settleForGrub(processes, place);
  await writing(directory, () => rm(old, { recursive: true, force: true }));
}

async function expectRoom({ directory, mountPoint }: MenuPlace, room: ReturnType<typeof frugalRoom>): Promise<void> {
  if ('problem' in room) throw invalid('--changes', room.problem);
  const { bavail, bsize } = await statfs(mountPoint);
  if (bavail * bsize < room.needed) throw new ImprintError('disk-full', { path: directory });
}

/** Where the kernel of this machine speaks, that of the live system is to speak. */
async function consoles(): Promise<string[]> {
  const own = splitKernelOptions(await readFile('/proc/cmdline', 'utf8').catch(() => ''));
  const found = own.filter((word) => word.startsWith('console='));
  return found.length > 0 ? found : ['console=tty0'];
}

/** The menu of a machine does not name what will be somewhere else tomorrow. */
async function canBePulledOut(processes: Processes, { disk }: MenuPlace): Promise<boolean> {
  const found = (await readDisks(processes)).find(({ path }) => path === disk);
  return found !== undefined && (found.removable || found.transport === 'usb');
}

async function sizeOf(processes: Processes, directory: string): Promise<number> {
  const { stdout } = await processes.run('du', ['--summarize', '--block-size=1', directory], { timeout: 300_000 });
  return Number(stdout.split('\t', 1)[0]);
}

function invalid(field: string, problem: string): ImprintError {
  return new ImprintError('input-invalid', { field, problem });
}
