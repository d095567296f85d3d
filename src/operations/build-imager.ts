import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { constants, copyFile, mkdtemp, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { NetbootMediaInput, NetbootMediaOutput } from '../contract/operations/media.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import type { ImagerRecord } from '../machine/imager-record.ts';
import { ensureImagerBase, type ImagerBase, type KernelSource } from '../netboot/imager-base.ts';
import { buildOverlay } from '../netboot/imager-overlay.ts';
import { isThere } from '../store/directory-files.ts';
import { makeDirectories } from '../store/make-directories.ts';
import type { Context } from './context.ts';
import { kernelOfImage } from './media/take-kernel.ts';
import { trustForImager } from './trust/trust-for-imager.ts';

/** Beside the imager: what it was made of (`ImagerRecord`), for whoever puts it onto a medium or onto a disk that runs. Its signature lies beside it. */
export const imagerRecordName = 'imager.json';
export const imagerSignatureName = `${imagerRecordName}.minisig`;

/** Time of every file in the imager where SOURCE_DATE_EPOCH says nothing: 2000-01-01. */
const defaultEpoch = 946_684_800;

const loaderDirectories = ['/usr/lib/ipxe', '/usr/share/ipxe', '/usr/lib/ipxe/qemu'];
const loaders = ['undionly.kpxe', 'snponly.efi'];

/** What a test or a bundle puts in place of what this machine has. */
export interface BuildImagerOptions {
  /** Directory of a bundle; absent: the running one, or one made from the sources. */
  bundle?: string;
  /** Where bases are kept; absent: IMPRINT_CACHE, or `DATA/cache`. */
  cache?: string;
  /** Node for the imager; absent: the one that runs this. */
  node?: string;
}

/**
 * `imprint media netboot`: makes `DATA/netboot` with kernel, initrd and the boot loaders for TFTP. Each file is replaced in one
 * step, the kernel and the initrd last, so that a machine that boots meanwhile gets old files or new ones.
 * The TFTP script that names the server is the server's own matter, since it knows its URL (`run-netboot.ts`).
 *
 * Errors: `tool-missing`, `process-failed`, `imager-unbuilt`, `disk-full`, `interrupted`; those of `kernelOfImage`.
 */
export async function buildImager(
  context: Context,
  input: NetbootMediaInput,
  task: Task,
  options: BuildImagerOptions = {},
): Promise<NetbootMediaOutput> {
  const directory = context.paths.netboot;
  await makeDirectories(join(directory, 'tftp'));
  const key = await context.key();
  const kernel = input.kernelFrom === undefined ? undefined : await kernelOfImage(context, input.kernelFrom, task);
  const { base, overlay } = await makeImager(context, { ...input, ...(kernel && { kernel }) }, task, options);
  for (const loader of loaders) await placeLoader(loader, join(directory, 'tftp'));
  await replaceFile(join(directory, 'localdisk.efi'), [await readFile(base.localDisk)]);
  await placeImager(directory, base, overlay);
  const names = ['vmlinuz', 'initrd.img', 'localdisk.efi', ...loaders.map((loader) => `tftp/${loader}`)];
  const files = await Promise.all(names.map(async (path) => ({ path, ...(await measure(join(directory, path))) })));
  const hashOf = (name: string) => files.find(({ path }) => path === name)?.sha256 ?? '';
  const record: ImagerRecord = {
    ...{ format: 1, kind: 'imager', key: key.signer.publicKey.id, kernel: base.kernelVersion, suite: input.suite },
    files: { vmlinuz: hashOf('vmlinuz'), initrd: hashOf('initrd.img') },
  };
  const text = Buffer.from(`${JSON.stringify(record)}\n`);
  const signature = key.signer.sign(text, `imprint imager ${base.kernelVersion}`);
  await replaceFile(join(directory, imagerSignatureName), [Buffer.from(signature)]);
  await replaceFile(join(directory, imagerRecordName), [text]);
  return {
    directory,
    files,
    kernel: base.kernelVersion,
    ...(kernel && { kernelFrom: kernel.name }),
    suite: input.suite,
    cached: base.cached,
    key: key.signer.publicKey.id,
  };
}

/** An imager that lies nowhere yet: its kernel is `base.kernel`, its initrd `base.archive` with the overlay behind it. */
export interface MadeImager {
  base: ImagerBase;
  overlay: Uint8Array;
}

/** Makes an imager that trusts this server's key, with the suite's kernel or another. Errors: those of `buildImager`. */
export async function makeImager(
  context: Context,
  { suite, refresh, kernel }: { suite: string; refresh: boolean; kernel?: KernelSource },
  task: Task,
  options: BuildImagerOptions = {},
): Promise<MadeImager> {
  await makeDirectories(context.paths.netboot);
  const { publicKeyText: publicKey } = await context.key();
  const epoch = sourceDateEpoch();
  const base = await ensureImagerBase({
    suite,
    ...(kernel && { kernel }),
    cache: options.cache ?? process.env.IMPRINT_CACHE ?? join(context.paths.data, 'cache'),
    refresh,
    node: await realpath(options.node ?? process.execPath),
    epoch,
    processes: context.processes,
    task,
  });
  const trust = await trustForImager(context);
  const overlay = await task.part('add our programs and the key', async (part) => {
    await using bundle = await findBundle(context, part, options.bundle);
    return await buildOverlay({ bundle: bundle.directory, publicKey, trust, epoch });
  });
  return { base, overlay };
}

async function placeImager(directory: string, base: ImagerBase, overlay: Uint8Array): Promise<void> {
  const initrd = join(directory, 'initrd.img.new');
  await copyFile(base.archive, initrd, constants.COPYFILE_FICLONE);
  await using file = await open(initrd, 'a');
  await file.appendFile(overlay);
  await file.sync();
  const kernel = join(directory, 'vmlinuz.new');
  await copyFile(base.kernel, kernel, constants.COPYFILE_FICLONE);
  await rename(initrd, join(directory, 'initrd.img'));
  await rename(kernel, join(directory, 'vmlinuz'));
}

async function placeLoader(name: string, tftp: string): Promise<void> {
  for (const directory of loaderDirectories) {
    const content = await readFile(join(directory, name)).catch(() => undefined);
    if (content) return replaceFile(join(tftp, name), [content]);
  }
  throw new ImprintError('imager-unbuilt', {
    problem: `the boot loader ${name} is not here`,
    hint: 'Install the package ipxe.',
  });
}

interface Bundle extends AsyncDisposable {
  directory: string;
}

/** The bundle that this runs from; from the sources, one that is made for the occasion. */
async function findBundle(context: Context, task: Task, given: string | undefined): Promise<Bundle> {
  const here = given ?? import.meta.dirname;
  if (given !== undefined || (await isThere(join(here, 'imager.mjs')))) {
    return { directory: here, [Symbol.asyncDispose]: async () => {} };
  }
  const project = dirname(dirname(import.meta.dirname));
  const directory = await mkdtemp(join(context.paths.netboot, 'bundle-'));
  const dispose = () => rm(directory, { recursive: true, force: true });
  try {
    const build = join(project, 'scripts', 'build.ts');
    await context.processes.run(process.execPath, [build, directory], { signal: task.signal, cwd: project });
  } catch (thrown) {
    await dispose();
    throw thrown;
  }
  return { directory, [Symbol.asyncDispose]: dispose };
}

async function replaceFile(path: string, pieces: readonly Uint8Array[]): Promise<void> {
  const temporary = `${path}.new`;
  await using file = await open(temporary, 'w', 0o644);
  for (const piece of pieces) await file.appendFile(piece);
  await file.sync();
  await rename(temporary, path);
}

async function measure(path: string): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return { bytes: (await stat(path)).size, sha256: hash.digest('hex') };
}

/** See https://reproducible-builds.org/specs/source-date-epoch/ */
function sourceDateEpoch(): number {
  const given = process.env.SOURCE_DATE_EPOCH;
  return given !== undefined && /^\d{1,10}$/.test(given) ? Number(given) : defaultEpoch;
}
