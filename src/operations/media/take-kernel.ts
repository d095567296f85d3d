import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Digest, RawPath } from '../../foundation/brand.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import type { Entry } from '../../image/entry.ts';
import { readImageContent } from '../../machine/image-content.ts';
import type { KernelSource } from '../../netboot/imager-base.ts';
import { firstStageModules } from '../../netboot/imager-recipe.ts';
import { parseModuleDependencies, selectModules } from '../../netboot/kernel-modules.ts';
import { ifThere } from '../../store/directory-files.ts';
import type { Store } from '../../store/store.ts';
import type { Processes } from '../../system/run.ts';
import type { Context } from '../context.ts';
import { readContents } from '../read-contents.ts';
import { resolveInstallable } from '../resolve-installable.ts';

/** Content that is read and written at a time. */
const batchBytes = 64 << 20;
const moduleFile = /\.ko(?:\.(?:xz|zst|gz))?$/;
/** What of the directory of modules is needed beside the modules themselves. */
const indexNames = ['modules.dep', 'modules.builtin', 'modules.builtin.modinfo', 'modules.order'];

/**
 * The kernel of a version, for the imager: hardware that ran the golden machine is then reached by the same drivers, firmware included. Errors: `image-not-found`,
 * `signature-missing` and what a guard refuses; `imager-unbuilt` for a kernel that cannot drive the imager.
 */
export async function kernelOfImage(context: Context, reference: string, task: Task): Promise<KernelSource> {
  const { image, digest, record } = await resolveInstallable(context, reference);
  const { architecture } = (JSON.parse(record) as { source: { architecture?: string } }).source;
  if (architecture !== undefined && architecture !== 'x86_64')
    throw unfit(image, `it is for ${architecture}, and the imager for x86_64`);
  const store = await context.store();
  return {
    name: image,
    key: digest,
    fill: async (directory) => {
      await using _lease = await store.lease(digest);
      await takeKernel({ store, digest, image, directory, processes: context.processes, task });
    },
  };
}

/** What of some drivers the kernel of a version has, as files or built in. */
export interface KernelDrivers {
  /** `web:3` */
  image: string;
  /** Of the kernel. */
  version: string;
  missing: string[];
}

/**
 * Looks which of these drivers the kernel of a version lacks, before anything is made of it. Errors: `image-not-found`, `signature-missing`, what a guard refuses; `imager-unbuilt` where it has no kernel, or no
 * modules.
 */
export async function missingDrivers(
  context: Context,
  reference: string,
  names: readonly string[],
  task: Task,
): Promise<KernelDrivers> {
  const { image, digest } = await resolveInstallable(context, reference);
  const store = await context.store();
  await using _lease = await store.lease(digest);
  const [kernel] = (await readImageContent(store.entries(digest))).kernels;
  if (kernel === undefined) throw unfit(image, 'it has no kernel in /boot');
  const files = await findFiles(store, digest);
  const version = modulesVersion(files, kernel.version);
  if (version === undefined) throw unfit(image, `it has no modules for its kernel ${kernel.version}`);
  const indexes = ['modules.dep', 'modules.builtin'].flatMap((name) =>
    pick(files, `usr/lib/modules/${version}/${name}`).map(([, entry]) => entry),
  );
  const texts = [...(await readContents(store, digest, indexes, task.signal)).values()].join('\n');
  return { image, version, missing: names.filter((name) => !isDriver(name).test(texts)) };
}

interface Taking {
  store: Store;
  digest: Digest;
  image: string;
  directory: string;
  processes: Processes;
  task: Task;
}

/** Writes `boot/vmlinuz-VERSION`, the modules that the imager wants and the firmware that these ask for, as they would lie in a Debian system. */
async function takeKernel(taking: Taking): Promise<void> {
  const { store, digest, image, directory } = taking;
  const [kernel] = (await readImageContent(store.entries(digest))).kernels;
  if (kernel === undefined) throw unfit(image, 'it has no kernel in /boot');
  const files = await findFiles(store, digest);
  const version = modulesVersion(files, kernel.version);
  const [boot] = pick(files, `boot/${kernel.kernel}`);
  if (version === undefined || boot === undefined)
    throw unfit(image, `it has no modules for its kernel ${kernel.version}`);
  const modules = `usr/lib/modules/${version}`;
  const indexes = indexNames.flatMap((name) => pick(files, `${modules}/${name}`));
  await write(taking, [[`boot/vmlinuz-${version}`, boot[1]], ...indexes]);
  const index = (name: string) => readFile(join(directory, modules, name), 'utf8');
  const paths = selectModules(parseModuleDependencies(await index('modules.dep')));
  const builtIn = (await ifThere(index('modules.builtin'))) ?? '';
  for (const name of firstStageModules) {
    const isIt = isDriver(name);
    if (!isIt.test(builtIn) && !paths.some((path) => isIt.test(path)))
      throw unfit(image, `its kernel ${version} has no ${name}, with which the imager starts`);
  }
  const wanted = paths.flatMap((path) => pick(files, `${modules}/${path}`));
  await write(taking, wanted);
  await write(taking, chooseFirmware(files, await firmwareOf(taking, wanted)));
}

/** Its line in an index of modules. A name may be written with dashes or underscores. */
function isDriver(name: string): RegExp {
  return new RegExp(`/${name.replaceAll('_', '[-_]')}\\.ko(\\.\\w+)?(?=:|$)`, 'm');
}

/** What could be wanted, by its path with `/usr` merged; a hard link stands for its file. */
async function findFiles(store: Store, digest: Digest): Promise<Map<string, Entry>> {
  const files = new Map<string, Entry>();
  const links: [string, RawPath][] = [];
  for await (const batch of store.entries(digest)) {
    for (const entry of batch) {
      const path = merged(entry.path);
      if (!/^(?:boot\/[^/]+$|usr\/lib\/(?:modules|firmware)\/)/.test(path)) continue;
      if (entry.type === 'hardlink' && entry.target !== undefined) links.push([path, entry.target]);
      else if (entry.type === 'file' || entry.type === 'symlink') files.set(path, entry);
    }
  }
  for (const [path, target] of links) {
    const file = files.get(merged(target));
    if (file !== undefined) files.set(path, file);
  }
  return files;
}

/** Arch names its kernels otherwise than their modules: where there is one directory of modules, it is that. */
function modulesVersion(files: ReadonlyMap<string, Entry>, kernel: string): string | undefined {
  const versions = new Set<string>();
  for (const path of files.keys()) {
    const version = /^usr\/lib\/modules\/([^/]+)\/modules\.dep$/.exec(path)?.[1];
    if (version !== undefined) versions.add(version);
  }
  return versions.has(kernel) ? kernel : versions.size === 1 ? [...versions][0] : undefined;
}

/** A file with its path: no links are written, only what they lead to. Nothing where there is no such file. */
function pick(files: ReadonlyMap<string, Entry>, path: string): [string, Entry][] {
  let at = path;
  for (let hops = 0; hops < 8; hops += 1) {
    const entry = files.get(at);
    if (entry?.type === 'file') return [[path, entry]];
    const target = entry?.target;
    if (target === undefined) return [];
    at = merged(join('/', target.startsWith('/') ? target : join(dirname(at), target)).slice(1));
  }
  return [];
}

/** Its path with `/usr` merged. */
function merged(path: string): string {
  return path.startsWith('lib/') ? `usr/${path}` : path;
}

/** Names below `/lib/firmware` that the modules ask for, as `modinfo` tells; a name may hold `*`. */
async function firmwareOf({ directory, processes, task }: Taking, modules: [string, Entry][]): Promise<Set<string>> {
  const names = new Set<string>();
  const paths = modules.map(([path]) => join(directory, path)).filter((path) => moduleFile.test(path));
  for (let from = 0; from < paths.length; from += 500) {
    const { stdout } = await processes.run('modinfo', ['-F', 'firmware', ...paths.slice(from, from + 500)], {
      signal: task.signal,
      timeout: 120_000,
    });
    for (const name of stdout.split('\n')) if (name !== '') names.add(name);
  }
  return names;
}

/** Files of firmware by these names, compressed or not. */
export function chooseFirmware(files: ReadonlyMap<string, Entry>, names: ReadonlySet<string>): [string, Entry][] {
  const base = 'usr/lib/firmware/';
  const chosen = new Map<string, Entry>();
  const add = (path: string) => {
    for (const [, entry] of pick(files, path)) chosen.set(path, entry);
  };
  const globs: RegExp[] = [];
  for (const name of names) {
    if (name.includes('*')) globs.push(globOf(`${base}${name}`));
    else for (const ending of ['', '.xz', '.zst']) add(`${base}${name}${ending}`);
  }
  if (globs.length > 0) {
    for (const path of files.keys()) if (path.startsWith(base) && globs.some((glob) => glob.test(path))) add(path);
  }
  return [...chosen];
}

function globOf(path: string): RegExp {
  const parts = path.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('[^/]*')}(?:\\.xz|\\.zst)?$`);
}

/** Writes files below the directory. */
async function write({ store, digest, directory, task }: Taking, files: readonly [string, Entry][]): Promise<void> {
  let batch: [string, Entry][] = [];
  let bytes = 0;
  const flush = async () => {
    const entries = [...new Set(batch.map(([, entry]) => entry))];
    const contents = await readContents(store, digest, entries, task.signal);
    for (const [path, entry] of batch) {
      const target = join(directory, path);
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, contents.get(entry.path) ?? Buffer.alloc(0));
    }
    batch = [];
    bytes = 0;
  };
  for (const each of files) {
    batch.push(each);
    bytes += each[1].size ?? 0;
    if (bytes >= batchBytes) await flush();
  }
  await flush();
}

function unfit(image: string, problem: string): ImprintError {
  return new ImprintError('imager-unbuilt', {
    problem: `the kernel of ${image} cannot drive it: ${problem}`,
    hint: 'Leave out --kernel-from or --live: Debian’s own kernel is taken then.',
  });
}
