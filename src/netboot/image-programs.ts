import { readFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { ImprintError } from '../foundation/errors.ts';
import type { CpioEntry } from './cpio.ts';
import { DebianRoot } from './debian-root.ts';
import { elfNeeds } from './elf-needs.ts';

/** Where a program looks for libraries that it does not say more of; `*` is the architecture, `x86_64-linux-gnu`. */
const libraryPath = ['/usr/lib/*', '/usr/lib64', '/usr/lib', '/usr/lib32'];

export interface ProgramRequest {
  /** Root of the image's tree. */
  root: string;
  /** Directory of the archive for them, as they will find it: `/imprint`. */
  place: string;
  required: readonly string[];
  /** Taken where they are. */
  optional?: readonly string[];
}

/**
 * Programs of an image with the libraries that they need, for an archive, so that they run beside whatever else is there: they are
 * started through their own loader. `functions` is text for a POSIX shell that defines one function for each program, by its name.
 * Errors: `image-unfit` for a required one that is missing.
 */
export async function collectPrograms(
  request: ProgramRequest,
): Promise<{ entries: CpioEntry[]; functions: string; command(name: string): string }> {
  const collection = new Collection(request);
  for (const name of request.required) await collection.add(name, true);
  for (const name of request.optional ?? []) await collection.add(name, false);
  const functions = [...collection.commands].map(([name, command]) => `${name}() { ${command} "$@"; }\n`).join('');
  return {
    entries: [...collection.entries.values()],
    functions,
    command: (name) => collection.commands.get(name) ?? name,
  };
}

class Collection {
  readonly entries = new Map<string, CpioEntry>();
  /** How to start each program. */
  readonly commands = new Map<string, string>();
  readonly #root: DebianRoot;
  readonly #place: string;

  constructor({ root, place }: ProgramRequest) {
    this.#root = new DebianRoot(root);
    this.#place = place;
  }

  async add(name: string, required: boolean): Promise<void> {
    const found = await this.#root.findProgram(name);
    if (!found) {
      if (required) throw unfit(`there is no program ${name}`);
      return;
    }
    const real = basename(found.path);
    const content = await readFile(found.host);
    this.#take({ kind: 'file', path: this.#path('bin', real), content, mode: 0o755 });
    // One program may be many, by the name that it is called by: busybox, kmod.
    if (real !== name) this.#take({ kind: 'symlink', path: this.#path('bin', name), target: real });
    const program = `${this.#place}/bin/${name}`;
    const loader = await this.#addNeeds(content, found.path);
    this.commands.set(name, loader ? `${loader} --library-path ${this.#place}/lib ${program}` : program);
  }

  /** Takes the libraries of a file; returns the path of the loader that starts it, or undefined where it needs none. */
  async #addNeeds(content: Uint8Array, path: string): Promise<string | undefined> {
    const needs = elfNeeds(content);
    if (!needs) return undefined;
    const own = needs.searchPath.map((directory) => directory.replace(/\$\{?ORIGIN\}?/, dirname(path)));
    for (const library of needs.libraries) await this.#addLibrary(library, own, path);
    if (needs.interpreter === undefined) return undefined;
    const name = basename(needs.interpreter);
    await this.#addLibrary(name, [dirname(needs.interpreter)], path);
    return `${this.#place}/lib/${name}`;
  }

  async #addLibrary(name: string, own: readonly string[], neededBy: string): Promise<void> {
    const path = this.#path('lib', basename(name));
    if (this.entries.has(path)) return;
    for (const directory of [...own, ...(await this.#libraryPath())]) {
      const found = await this.#root.find(resolve(directory, name));
      if (!found || found.directory) continue;
      const content = await readFile(found.host);
      this.#take({ kind: 'file', path, content, mode: 0o755 });
      await this.#addNeeds(content, found.path);
      return;
    }
    throw unfit(`${neededBy} needs the library ${name}, which is nowhere`);
  }

  async #libraryPath(): Promise<string[]> {
    const names = (await this.#root.list('/usr/lib')).filter((name) => /-linux-(gnu|musl)/.test(name));
    return libraryPath.flatMap((path) => (path.endsWith('*') ? names.map((name) => `/usr/lib/${name}`) : [path]));
  }

  #take(entry: CpioEntry): void {
    if (!this.entries.has(entry.path)) this.entries.set(entry.path, entry);
  }

  #path(directory: string, name: string): string {
    return `${this.#place.replace(/^\//, '')}/${directory}/${name}`;
  }
}

function unfit(problem: string): ImprintError {
  return new ImprintError('image-unfit', {
    reference: 'The image',
    machine: 'this machine',
    problem: `for its boot addition, ${problem}`,
    hint: 'Capture it again from a system whose basic programs are all there.',
  });
}
