import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { hostname, machine as machineArchitecture, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RawPath } from '../../foundation/brand.ts';
import type { Task } from '../../foundation/task.ts';
import type { Entry } from '../../image/entry.ts';
import { elfMachine } from '../../machine/elf-machine.ts';
import { type ImageContent, readImageContent } from '../../machine/image-content.ts';
import type { InstalledLayout } from '../../machine/installed-layout.ts';
import { detectInitramfs } from '../../netboot/detect-initramfs.ts';
import {
  type UpdateImage,
  type UpdateNeeds,
  type UpdateProblem,
  updateProblems,
} from '../../planning/update-problem.ts';
import { diskDrivers } from '../../system/disk-drivers.ts';
import { findPartition } from '../../system/find-partition.ts';
import type { Processes } from '../../system/run.ts';
import { hexOf } from '../../tree/converge-writer.ts';
import type { UpdateContent } from './update-content.ts';

export interface PreflightRequest {
  content: UpdateContent;
  reference: string;
  needs: UpdateNeeds;
  processes: Processes;
  task: Task;
}

/**
 * Looks at a version before anything is written: whether it has a kernel and an init for this machine, and the modules with which it finds its root
 * here. Reads the manifest once, and of the content the heads of kernel and init, and the initial RAM disk.
 */
export async function preflight(request: PreflightRequest): Promise<UpdateProblem[]> {
  const { content, reference, needs } = request;
  const image = await lookAtImage(request);
  return updateProblems(reference, content.record, image, needs);
}

/**
 * Refuses a version that would not come up in a slot of this machine, before anything is written; what only matters less becomes warnings.
 * Errors: `image-unfit`.
 */
export async function requireFit(
  request: Omit<PreflightRequest, 'needs' | 'task'> & { layout: InstalledLayout; slot: string },
  task: Task,
): Promise<void> {
  const { processes, layout, slot } = request;
  const needs = await updateNeeds(processes, { layout, slot, machine: hostname() });
  const problems = await preflight({ ...request, needs, task });
  const fatal = problems.find((problem) => problem.fatal);
  if (fatal !== undefined) throw fatal.error;
  for (const { error } of problems) task.warn(String(error.details.problem));
}

/** What this machine asks of a version in a slot (`a`, `file`, `root`). `sys`: for tests. */
export async function updateNeeds(
  processes: Processes,
  { layout, slot, machine, sys }: { layout: InstalledLayout; slot: string; machine: string; sys?: string },
): Promise<UpdateNeeds> {
  const { host } = layout;
  const place = host ?? layout.slots.find(({ name }) => name === slot) ?? layout.slots[0];
  const device =
    place === undefined || 'device' in place
      ? undefined
      : await findPartition(processes, place.partitionUuid, slot).catch(() => undefined);
  return {
    machine,
    architecture: machineArchitecture(),
    drivers: device === undefined ? [] : await diskDrivers(device, sys),
    fileSystems: host === undefined ? [place?.fileSystem ?? 'ext4'] : ['loop', 'ext4', host.fileSystem],
    file: host !== undefined,
    addition: host !== undefined,
    ...(layout.stack === undefined ? {} : { stack: layout.stack }),
  };
}

/** What was seen of the manifest: what is looked for, and the links on the way there. */
class Tree {
  readonly #links = new Map<string, string>();
  readonly #files = new Map<string, Entry>();

  readonly #entries: AsyncIterable<Entry[]>;
  readonly #wanted: (path: RawPath) => boolean;

  constructor(entries: AsyncIterable<Entry[]>, wanted: (path: RawPath) => boolean) {
    this.#entries = entries;
    this.#wanted = wanted;
  }

  async *seen(): AsyncGenerator<Entry[]> {
    for await (const batch of this.#entries) {
      for (const entry of batch) {
        if (entry.type === 'symlink') this.#links.set(entry.path, entry.target ?? '');
        else if (entry.type !== 'directory' && this.#wanted(entry.path)) this.#files.set(entry.path, entry);
      }
      yield batch;
    }
  }

  /** The file that a path names, links followed as the system itself would. */
  find(path: string): Entry | undefined {
    const rest = path.split('/').filter((part) => part !== '');
    const done: string[] = [];
    for (let links = 0; rest.length > 0; ) {
      const part = rest.shift() ?? '';
      if (part === '.') continue;
      if (part === '..') {
        done.pop();
        continue;
      }
      const target = this.#links.get([...done, part].join('/'));
      if (target === undefined) {
        done.push(part);
        continue;
      }
      links += 1;
      if (links > 40) return undefined;
      if (target.startsWith('/')) done.length = 0;
      rest.unshift(...target.split('/').filter((piece) => piece !== ''));
    }
    const found = this.#files.get(done.join('/'));
    return found?.type === 'hardlink' ? this.#files.get(found.target ?? '') : found;
  }
}

async function lookAtImage({ content, processes, task }: PreflightRequest): Promise<UpdateImage> {
  const modulePaths: string[] = [];
  // Programs: an init may be a link to any of them.
  const wanted = (path: RawPath) => {
    const modules = /^(?:usr\/)?lib\/modules\/[^/]+\//.test(path);
    if (modules) modulePaths.push(path);
    return (
      /^(boot|s?bin|usr\/s?bin|usr\/lib\/systemd|lib\/systemd|init$)/.test(path) || /\/modules\.builtin$/.test(path)
    );
  };
  const tree = new Tree(content.entries(), wanted);
  const image = await readImageContent(tree.seen());
  const [kernel] = image.kernels;
  if (kernel === undefined || image.init === undefined) return { content: image };
  const [init, vmlinuz] = [tree.find(image.init), tree.find(`boot/${kernel.kernel}`)];
  const initMachine = init && elfMachine(await headOf(content, init));
  return {
    content: image,
    ...(initMachine === undefined ? {} : { initMachine }),
    ...(vmlinuz === undefined ? {} : { kernel: kernelOf(await headOf(content, vmlinuz)) }),
    ...(await modulesOf(content, tree, kernel.version, modulePaths)),
    ...(await initrdOf(content, tree, image, processes, task)),
  };
}

/** The x86 boot protocol (kernel documentation, x86/boot.rst): `HdrS` at 0x202. */
function kernelOf(head: Uint8Array): 'kernel' | 'other' {
  return Buffer.from(head.subarray(0x202, 0x206)).toString('latin1') === 'HdrS' ? 'kernel' : 'other';
}

async function modulesOf(
  content: UpdateContent,
  tree: Tree,
  version: string,
  paths: readonly string[],
): Promise<Pick<UpdateImage, 'modules'>> {
  const own = paths.filter((path) => path.split('/').at(path.startsWith('usr/') ? 3 : 2) === version);
  if (own.length === 0) return {};
  const files = new Set(own.map(moduleName).filter((name) => name !== undefined));
  const list =
    tree.find(`lib/modules/${version}/modules.builtin`) ?? tree.find(`usr/lib/modules/${version}/modules.builtin`);
  const text = list === undefined ? '' : (await bytesOf(content, list)).toString('latin1');
  const builtIn = new Set(
    text
      .split('\n')
      .map(moduleName)
      .filter((name) => name !== undefined),
  );
  return { modules: { files, builtIn } };
}

function moduleName(path: string): string | undefined {
  return /([^/]+)\.ko(?:\.\w+)?$/.exec(path)?.[1]?.replaceAll('-', '_');
}

async function initrdOf(
  content: UpdateContent,
  tree: Tree,
  image: ImageContent,
  processes: Processes,
  task: Task,
): Promise<Pick<UpdateImage, 'initrd' | 'initrdUnknown'>> {
  const name = image.kernels[0]?.initrd;
  const entry = name === undefined ? undefined : tree.find(`boot/${name}`);
  if (entry === undefined) return {};
  const directory = await mkdtemp(join(tmpdir(), 'imprint-initrd-'));
  try {
    await writeFile(join(directory, 'initrd'), await bytesOf(content, entry));
    const found = await detectInitramfs(directory, 'initrd', { processes, signal: task.signal });
    return found === undefined ? { initrdUnknown: true } : { initrd: { modules: found.modules } };
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function headOf(content: UpdateContent, { chunks = [] }: Entry): Promise<Uint8Array> {
  const [first] = chunks;
  return first === undefined ? new Uint8Array(0) : content.content(hexOf(first.hash));
}

async function bytesOf(content: UpdateContent, { chunks = [] }: Entry): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for (const { hash } of chunks) pieces.push(Buffer.from(await content.content(hexOf(hash))));
  return Buffer.concat(pieces);
}
