import { lstat, mkdir, open, readdir, readFile, readlink, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Files below another system's root. Symbolic links are followed as that system would follow them: an absolute one
 * begins at its root, and none leads out of it. Paths are relative to the root and have no slash in front.
 */
export interface RootFiles {
  readonly root: string;
  /** Text of a file, undefined where there is none. */
  read(path: string): Promise<string | undefined>;
  /** Writes a file and its missing directories; what was there (also a symbolic link) is replaced at once. */
  write(path: string, text: string, mode?: number): Promise<void>;
  /** Removes what matches; `*` stands for anything within the last name. Absent: nothing. Returns what went. */
  remove(pattern: string): Promise<string[]>;
  makeDirectory(path: string, mode?: number): Promise<void>;
  exists(path: string): Promise<boolean>;
  /** The path as this process must name it. */
  resolve(path: string): Promise<string>;
}

/** The files below `root`. */
export function rootFiles(root: string): RootFiles {
  const resolve = (path: string) => resolveBelow(root, path);
  /** The directory resolved, the last name as it is. */
  const place = async (path: string) => {
    const cut = path.lastIndexOf('/');
    return join(await resolve(cut < 0 ? '' : path.slice(0, cut)), path.slice(cut + 1));
  };
  const makeDirectory = async (path: string, mode = 0o755) => {
    await mkdir(await resolve(path), { recursive: true, mode });
  };
  return {
    root,
    resolve,
    makeDirectory,
    exists: async (path) => (await lstatIfThere(await resolve(path))) !== undefined,
    async read(path) {
      return readFile(await resolve(path), 'utf8').catch(absent);
    },
    async write(path, text, mode = 0o644) {
      const cut = path.lastIndexOf('/');
      if (cut > 0) await makeDirectory(path.slice(0, cut));
      const file = await place(path);
      const temporary = `${file}.imprint-new`;
      {
        await using handle = await open(temporary, 'w', mode);
        await handle.writeFile(text);
        await handle.chmod(mode);
        await handle.sync();
      }
      await rename(temporary, file);
    },
    async remove(pattern) {
      const cut = pattern.lastIndexOf('/');
      const directory = await resolve(pattern.slice(0, Math.max(cut, 0)));
      const wanted = namePattern(pattern.slice(cut + 1));
      const names = (await readdir(directory).catch((): string[] => [])).filter((name) => wanted.test(name));
      for (const name of names) await rm(join(directory, name), { force: true });
      return names.map((name) => pattern.slice(0, cut + 1) + name);
    },
  };
}

async function resolveBelow(root: string, path: string): Promise<string> {
  const rest = path.split('/').filter((part) => part !== '' && part !== '.');
  const done: string[] = [];
  for (let links = 0; rest.length > 0; ) {
    const part = rest.shift() ?? '';
    if (part === '..') {
      done.pop();
      continue;
    }
    const here = join(root, ...done, part);
    if ((await lstatIfThere(here))?.isSymbolicLink() !== true) {
      done.push(part);
      continue;
    }
    links += 1;
    if (links > 40)
      throw Object.assign(new Error(`too many symbolic links in ${path}`), { code: 'ELOOP', syscall: 'open', path });
    const target = await readlink(here);
    if (target.startsWith('/')) done.length = 0;
    rest.unshift(...target.split('/').filter((piece) => piece !== '' && piece !== '.'));
  }
  return join(root, ...done);
}

function namePattern(glob: string): RegExp {
  return new RegExp(`^${glob.replaceAll(/[.+^${}()|[\]\\?]/g, '\\$&').replaceAll('*', '.*')}$`);
}

async function lstatIfThere(path: string) {
  return lstat(path).catch(absent);
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
  throw error;
}
