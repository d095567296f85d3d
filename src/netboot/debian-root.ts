import { lstat, readdir, readlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

/** A file of an unpacked Debian system. */
export interface FoundFile {
  /** Where it lies on this machine. */
  host: string;
  /** Its path in that system, with `/bin`, `/sbin`, `/lib` and `/lib64` counted as parts of `/usr`. */
  path: string;
  directory: boolean;
}

/**
 * Finds files in an unpacked Debian system whose symbolic links must be followed inside it, and which has `/usr` merged
 * (trixie) or not (bookworm, whose packages still bring both).
 */
export class DebianRoot {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** The file at `path` once all links are followed; undefined where there is none. */
  async find(path: string): Promise<FoundFile | undefined> {
    let at = mergedPath(resolve('/', path));
    for (let hops = 0; hops < 40; hops += 1) {
      const found = await this.#lstat(at);
      if (!found) return undefined;
      if (!found.stats.isSymbolicLink()) return { host: found.host, path: at, directory: found.stats.isDirectory() };
      at = mergedPath(resolve(dirname(found.path), await readlink(found.host)));
    }
    return undefined;
  }

  /** The program `name`, as the shell would find it; `called` is its path before links were followed. */
  async findProgram(name: string): Promise<(FoundFile & { called: string }) | undefined> {
    for (const directory of ['/usr/sbin', '/usr/bin']) {
      const called = join(directory, name);
      const found = await this.find(called);
      if (found) return { ...found, called };
    }
    return undefined;
  }

  /** Names in a directory, from both places where it may lie, sorted. */
  async list(path: string): Promise<string[]> {
    const names = await Promise.all(
      places(mergedPath(path)).map((place) => readdir(join(this.directory, place)).catch(() => [])),
    );
    return [...new Set(names.flat())].sort();
  }

  async #lstat(path: string) {
    for (const place of places(path)) {
      const host = join(this.directory, place);
      const stats = await lstat(host).catch(() => undefined);
      if (stats) return { host, path: place, stats };
    }
    return undefined;
  }
}

/** `/lib/udev` → `/usr/lib/udev`. */
export function mergedPath(path: string): string {
  return /^\/(bin|sbin|lib|lib64)(\/|$)/.test(path) ? `/usr${path}` : path;
}

function places(path: string): string[] {
  return /^\/usr\/(bin|sbin|lib|lib64)(\/|$)/.test(path) ? [path, path.slice('/usr'.length)] : [path];
}
