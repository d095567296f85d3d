import { chmod, copyFile, mkdir, readFile, symlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { ImprintError } from '../foundation/errors.ts';
import type { DebianRoot } from './debian-root.ts';
import { elfNeeds } from './elf-needs.ts';
import { busyboxApplets, imagerData, imagerPrograms, leftOutData } from './imager-recipe.ts';

const directories = [
  'dev',
  'etc',
  'mnt',
  'proc',
  'root',
  'run',
  'sys',
  'tmp',
  'usr/bin',
  'usr/sbin',
  'usr/lib',
  'usr/lib64',
  'var',
];
const libraryPath = ['/usr/lib/x86_64-linux-gnu', '/usr/lib64', '/usr/lib'];

/**
 * Fills the empty directory `tree` with the programs and data of the imager, taken from an unpacked Debian system, and
 * with the libraries that they need. Everything lies below `/usr`; `/bin`, `/sbin`, `/lib` and `/lib64` are links.
 * Kernel modules are not its matter. Errors: `imager-unbuilt` for what is required and missing.
 *
 * @param node the Node that the imager runs: a file of this machine.
 */
export async function fillImagerTree(root: DebianRoot, tree: string, node: string): Promise<void> {
  const builder = new TreeBuilder(root, tree);
  await builder.skeleton();
  await builder.addFile(node, '/usr/bin/node');
  for (const { name, required } of imagerPrograms()) await builder.addProgram(name, required);
  for (const path of imagerData) await builder.addData(path);
  await builder.addLibraries();
  await builder.link('/usr/bin/sh', '/usr/bin/dash');
  for (const applet of busyboxApplets) await builder.addApplet(applet);
}

class TreeBuilder {
  readonly #root: DebianRoot;
  readonly #tree: string;
  /** Paths in the tree that exist by now. */
  readonly #taken = new Set<string>();
  /** Files whose needs were not looked at yet: place on this machine, and path in the tree. */
  readonly #unread: Array<{ host: string; path: string }> = [];

  constructor(root: DebianRoot, tree: string) {
    this.#root = root;
    this.#tree = tree;
  }

  async skeleton(): Promise<void> {
    for (const directory of directories) await mkdir(join(this.#tree, directory), { recursive: true });
    for (const name of ['bin', 'sbin', 'lib', 'lib64']) await symlink(`usr/${name}`, join(this.#tree, name));
    await symlink('/proc/self/mounts', join(this.#tree, 'etc/mtab'));
    await symlink('/run', join(this.#tree, 'var/run'));
  }

  async addProgram(name: string, required: boolean): Promise<void> {
    const found = await this.#root.findProgram(name);
    if (found) {
      await this.addFile(found.host, found.path);
      // mkfs.ext4 is a link to mke2fs: the program looks at the name it was called by.
      if (found.called !== found.path) await this.link(found.called, found.path);
    } else if (required && !busyboxApplets.includes(name)) {
      throw unbuilt(`the program ${name} is in none of the packages`);
    }
  }

  /** Takes files and whole directories; what is not there is left out. */
  async addData(path: string): Promise<void> {
    if (leftOutData.test(path)) return;
    const star = path.indexOf('*');
    if (star >= 0) {
      const directory = dirname(path);
      const names = await this.#root.list(directory);
      const prefix = basename(path).replace('*', '');
      for (const name of names.filter((each) => each.startsWith(prefix))) await this.addData(`${directory}/${name}`);
      return;
    }
    const found = await this.#root.find(path);
    if (!found) return;
    if (found.directory) {
      for (const name of await this.#root.list(found.path)) await this.addData(`${found.path}/${name}`);
    } else {
      await this.addFile(found.host, found.path);
      if (found.path !== path) await this.link(path, found.path);
    }
  }

  async addFile(host: string, path: string): Promise<void> {
    if (this.#taken.has(path)) return;
    this.#taken.add(path);
    const target = join(this.#tree, path);
    await mkdir(dirname(target), { recursive: true });
    await copyFile(host, target);
    const executable = /\/(s?bin|udev)\/[^/]+$|\.so(\.|$)/.test(path);
    await chmod(target, executable ? 0o755 : 0o644);
    this.#unread.push({ host, path });
  }

  /** Takes the libraries that the files so far need, those that these need, and so on. */
  async addLibraries(): Promise<void> {
    for (let next = this.#unread.pop(); next !== undefined; next = this.#unread.pop()) {
      const needs = elfNeeds(await readFile(next.host));
      if (!needs) continue;
      const origin = dirname(next.path);
      const own = needs.searchPath.map((directory) => directory.replace(/\$\{?ORIGIN\}?/, origin));
      if (needs.interpreter !== undefined) await this.#addLibrary(needs.interpreter, ['/'], next.path);
      for (const library of needs.libraries) await this.#addLibrary(library, [...own, ...libraryPath], next.path);
    }
  }

  async addApplet(name: string): Promise<void> {
    const existing = ['/usr/bin', '/usr/sbin'].some((directory) => this.#taken.has(`${directory}/${name}`));
    if (!existing) await this.link(`/usr/bin/${name}`, '/usr/bin/busybox');
  }

  async #addLibrary(name: string, searchPath: readonly string[], neededBy: string): Promise<void> {
    for (const directory of searchPath) {
      const asked = resolve(directory, name);
      const found = await this.#root.find(asked);
      if (!found) continue;
      await this.addFile(found.host, found.path);
      const place = found.path.startsWith('/usr') && !asked.startsWith('/usr') ? `/usr${asked}` : asked;
      if (place !== found.path) await this.link(place, found.path);
      return;
    }
    throw unbuilt(`${neededBy} needs the library ${name}, which none of the packages brings`);
  }

  /** Makes a symbolic link, unless the path is taken. */
  async link(path: string, target: string): Promise<void> {
    if (this.#taken.has(path)) return;
    this.#taken.add(path);
    const place = join(this.#tree, path);
    await mkdir(dirname(place), { recursive: true });
    await symlink(target, place);
  }
}

function unbuilt(problem: string): ImprintError {
  return new ImprintError('imager-unbuilt', {
    problem,
    hint: 'Run it with the Node that the project installs (./imprint does), and with a Debian suite that is supported: bookworm.',
  });
}
