import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import { makeDirectories } from '../store/make-directories.ts';
import { findDebianMirror } from '../system/debian-mirror.ts';
import type { Processes } from '../system/run.ts';
import { buildCpio, type CpioEntry } from './cpio.ts';
import { DebianRoot } from './debian-root.ts';
import * as recipe from './imager-recipe.ts';
import { fillImagerTree } from './imager-tree.ts';
import { addKernelModules, firstStagePaths, kernelVersion } from './kernel-modules.ts';

const unusedAfter = 30 * 24 * 3600 * 1000;

/** The part of the imager that is dear to make and the same for every server: kernel, and all programs. */
export interface ImagerBase {
  /** File of this machine. */
  kernel: string;
  /** An archive for the kernel to unpack: a busybox, three modules, and everything else as `imager.squashfs`. */
  archive: string;
  /** EFI program that starts the machine's own disk. */
  localDisk: string;
  kernelVersion: string;
  /** Whether it was there already. */
  cached: boolean;
}

/** A kernel that is not the suite's. */
export interface KernelSource {
  /** For people: `web:3`. */
  readonly name: string;
  /** The same key: the same kernel. */
  readonly key: string;
  /** Writes it, its modules and firmware into an empty directory, as they lie in a Debian system. */
  fill(directory: string): Promise<void>;
}

export interface ImagerBaseOptions {
  suite: string;
  /** Absent: the suite's. */
  kernel?: KernelSource;
  /** Bases are kept in `CACHE/imager/KEY`. */
  cache: string;
  /** Makes it anew although it is there. */
  refresh: boolean;
  /** The Node that the imager runs. */
  node: string;
  /** Time of every file, seconds since 1970: the same inputs give the same bytes. */
  epoch: number;
  processes: Processes;
  task: Task;
}

/**
 * The base for this suite, recipe and Node: from the cache, or made. A base appears in the cache only when it is whole,
 * and two makers at once do no harm. Needs mmdebstrap, squashfs-tools, grub-common and kmod; works with and without root.
 *
 * Errors: `tool-missing`, `process-failed`, `imager-unbuilt`, `disk-full`, `interrupted`.
 */
export async function ensureImagerBase(options: ImagerBaseOptions): Promise<ImagerBase> {
  const directory = join(options.cache, 'imager', await baseKey(options));
  if (!options.refresh) {
    const cached = await readBase(directory);
    if (cached) {
      await utimes(directory, new Date(), new Date());
      return { ...cached, cached: true };
    }
  }
  await makeDirectories(join(options.cache, 'imager'));
  const work = await mkdtemp(join(options.cache, 'imager', 'work-'));
  try {
    await makeBase(work, options);
    await rm(directory, { recursive: true, force: true });
    await rename(join(work, 'base'), directory).catch(async (error: unknown) => {
      if (!(await readBase(directory))) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  await removeUnused(join(options.cache, 'imager'));
  const made = await readBase(directory);
  if (!made) throw new ImprintError('internal', { problem: `${directory} is gone again` });
  return { ...made, cached: false };
}

/** Removes bases, and what broken-off makers left, that nobody used for a month. */
async function removeUnused(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const path = join(parent, name);
    const used = (await stat(path).catch(() => undefined))?.mtimeMs ?? Number.POSITIVE_INFINITY;
    if (Date.now() - used > unusedAfter) await rm(path, { recursive: true, force: true });
  }
}

async function readBase(directory: string): Promise<Omit<ImagerBase, 'cached'> | undefined> {
  const text = await readFile(join(directory, 'base.json'), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const { kernelVersion: version } = JSON.parse(text) as { kernelVersion: string };
  return {
    kernel: join(directory, 'vmlinuz'),
    archive: join(directory, 'base.cpio'),
    localDisk: join(directory, 'localdisk.efi'),
    kernelVersion: version,
  };
}

async function baseKey({ suite, node, epoch, kernel }: ImagerBaseOptions): Promise<string> {
  const hash = createHash('sha256');
  // Only its data: how its functions are written down differs between the sources and the bundle.
  const data = Object.entries(recipe).filter(([, value]) => typeof value !== 'function');
  const patterns = data.map(([name, value]) => [name, value instanceof RegExp ? value.source : value]);
  hash.update(JSON.stringify([suite, epoch, patterns, recipe.imagerPackages(), recipe.imagerPrograms()]));
  if (kernel !== undefined) hash.update(kernel.key);
  await pipeline(createReadStream(node), hash);
  return hash.digest('hex').slice(0, 32);
}

async function makeBase(work: string, options: ImagerBaseOptions): Promise<void> {
  const { processes, task, epoch } = options;
  const { signal } = task;
  const rootDirectory = join(work, 'root');
  const tree = join(work, 'tree');
  const base = join(work, 'base');
  for (const directory of [rootDirectory, tree, base]) await mkdir(directory);

  await task.part('fetch packages', () => fetchPackages(work, rootDirectory, options));
  const root = new DebianRoot(rootDirectory);
  const kernelRoot = await fillKernelRoot(work, root, options);
  const version = await kernelVersion(kernelRoot);
  const dependencies = await task.part('choose programs and modules', async () => {
    const node = join(work, 'node');
    await copyFile(options.node, node);
    await stripped(node, processes);
    await fillImagerTree(root, tree, node);
    await addFirmware(kernelRoot, tree);
    return addKernelModules(kernelRoot, tree, version, processes);
  });
  const squashfs = join(work, 'imager.squashfs');
  await task.part('compress', () =>
    processes.run(
      'mksquashfs',
      // Blocks of 256 KiB: what the imager never touches is never decompressed, and never takes memory.
      [tree, squashfs, '-noappend', '-all-root', '-no-xattrs', '-quiet', '-no-progress', '-comp', 'zstd'].concat([
        '-Xcompression-level',
        '12',
        '-b',
        '256K',
      ]),
      { signal, env: { SOURCE_DATE_EPOCH: String(epoch) } },
    ),
  );
  const entries: CpioEntry[] = [{ kind: 'file', path: 'imager.squashfs', content: await readFile(squashfs) }];
  for (const entry of await firstStage(root, kernelRoot, version, firstStagePaths(dependencies), processes))
    entries.push(entry);
  // Flushed: a base that a power cut emptied would still be found by its name.
  await writeFile(join(base, 'base.cpio'), buildCpio(entries, epoch), { flush: true });
  const kernel = await kernelRoot.find(`/boot/vmlinuz-${version}`);
  if (!kernel) throw new ImprintError('internal', { problem: `there is no kernel ${version}` });
  await writeFile(join(base, 'vmlinuz'), await readFile(kernel.host), { flush: true });
  await makeLocalDiskLoader(root, work, join(base, 'localdisk.efi'), processes);
  await writeFile(join(base, 'base.json'), `${JSON.stringify({ kernelVersion: version, suite: options.suite })}\n`, {
    flush: true,
  });
}

/** Where the kernel, its modules and its firmware lie. */
async function fillKernelRoot(
  work: string,
  root: DebianRoot,
  { kernel, task }: ImagerBaseOptions,
): Promise<DebianRoot> {
  if (kernel === undefined) return root;
  const directory = join(work, 'kernel');
  await mkdir(directory);
  await task.part(`take the kernel of ${kernel.name}`, () => kernel.fill(directory));
  return new DebianRoot(directory);
}

/** Debian's free archive has none; an image may. */
async function addFirmware(kernelRoot: DebianRoot, tree: string): Promise<void> {
  const firmware = await kernelRoot.find('/usr/lib/firmware');
  if (firmware) await cp(firmware.host, join(tree, firmware.path), { recursive: true });
}

/** Unpacks the packages without running anything of theirs: nothing is configured, and no other architecture is needed. */
async function fetchPackages(work: string, rootDirectory: string, options: ImagerBaseOptions): Promise<void> {
  const { suite, processes, task } = options;
  const { signal } = task;
  const mirror = await findDebianMirror(suite, { processes });
  const tar = join(work, 'root.tar');
  await processes.run(
    'mmdebstrap',
    [
      ...['--variant=extract', '--architectures=amd64', '--format=tar', '--skip=output/dev', '--quiet'],
      ...[
        `--include=${recipe.imagerPackages(options.kernel === undefined).join(',')}`,
        ...mirror.aptOptions,
        suite,
        tar,
        ...mirror.sources,
      ],
    ],
    { signal },
  );
  const leftOut = ['usr/share/man', 'usr/share/locale', 'usr/share/perl', 'usr/lib/python3', '*/kernel/drivers/gpu'];
  const excludes = [...leftOut, '*/kernel/drivers/media', '*/kernel/sound', '*/kernel/drivers/net/wireless'];
  await processes.run(
    'tar',
    ['-C', rootDirectory, '--no-same-owner', ...excludes.map((each) => `--exclude=./${each}`), '-xf', tar],
    { signal },
  );
  await rm(tar);
}

async function makeLocalDiskLoader(
  root: DebianRoot,
  work: string,
  target: string,
  processes: Processes,
): Promise<void> {
  const modules = await root.find('/usr/lib/grub/x86_64-efi');
  if (!modules) throw new ImprintError('internal', { problem: 'the packages bring no GRUB for UEFI' });
  const configuration = join(work, 'localdisk.cfg');
  await writeFile(configuration, recipe.localDiskConfiguration);
  const how = ['-O', 'x86_64-efi', '-d', modules.host, '-p', '/EFI/BOOT', '-c', configuration, '-o', target];
  await processes.run('grub-mkimage', [...how, ...recipe.localDiskModules], { timeout: 60_000 });
}

/** Without symbols Node is a quarter smaller. A machine without binutils gets the larger imager. */
async function stripped(node: string, processes: Processes): Promise<void> {
  try {
    await processes.run('strip', ['--strip-unneeded', node], { timeout: 120_000 });
  } catch (thrown) {
    if (!(thrown instanceof ImprintError && thrown.code === 'tool-missing')) throw thrown;
  }
}

const unpackers = [
  ['.xz', 'xz'],
  ['.zst', 'zstd'],
  ['.gz', 'gzip'],
] as const;

async function firstStage(
  root: DebianRoot,
  kernelRoot: DebianRoot,
  version: string,
  modules: readonly string[],
  processes: Processes,
): Promise<CpioEntry[]> {
  const busybox = await root.findProgram('busybox');
  if (!busybox) throw new ImprintError('internal', { problem: 'busybox is in none of the packages' });
  const entries: CpioEntry[] = [
    { kind: 'file', path: 'bin/busybox', content: await readFile(busybox.host), mode: 0o755 },
    ...['dev', 'proc', 'sys'].map((path) => ({ kind: 'directory', path }) as const),
  ];
  for (const [index, path] of modules.entries()) {
    const found = await kernelRoot.find(`/usr/lib/modules/${version}/${path}`);
    if (!found) throw new ImprintError('internal', { problem: `the kernel module ${path} is missing` });
    let file = found.host;
    // The first stage's insmod takes no compressed ones.
    const packed = unpackers.find(([ending]) => file.endsWith(ending));
    if (packed !== undefined) {
      const [ending, program] = packed;
      await processes.run(program, ['-dkf', file]);
      file = file.slice(0, -ending.length);
    }
    // Numbered, since the first stage loads them in the order of their names.
    const name = `${String(index).padStart(2, '0')}-${basename(file)}`;
    entries.push({ kind: 'file', path: `modules/${name}`, content: await readFile(file) });
  }
  return entries;
}
