import { displayPath, type RawPath } from '../foundation/brand.ts';
import { removeDirectory, unlink } from '../native/nodes.ts';
import { type FileStatus, isDirectory, readDirectory, status } from '../native/status.ts';

/**
 * Removes all that is in a directory, and with `itself` the directory too. Follows no symbolic links and enters no other
 * file system. Does as much as it can; never throws, for it runs where something else has failed already.
 */
export function removeContents(directory: RawPath, itself: boolean): string[] {
  const problems: string[] = [];
  const attempt = <Result>(path: RawPath, work: () => Result): Result | undefined => {
    try {
      return work();
    } catch (error) {
      problems.push(`${displayPath(path)}: ${(error as Error).message}`);
      return undefined;
    }
  };
  const top = attempt(directory, () => status(directory));
  if (top === undefined) return problems;
  const empty = (path: RawPath) => {
    for (const name of attempt(path, () => readDirectory(path)) ?? []) {
      const child = `${path}/${name}` as RawPath;
      const found = attempt(child, () => status(child));
      if (found === undefined) continue;
      if (!isDirectory(found.mode)) attempt(child, () => unlink(child));
      else if (sameFileSystem(top, found)) {
        empty(child);
        if (name !== 'lost+found' || path !== directory) attempt(child, () => removeDirectory(child));
      }
    }
  };
  empty(directory);
  if (itself) attempt(directory, () => removeDirectory(directory));
  return problems;
}

function sameFileSystem(top: FileStatus, found: FileStatus): boolean {
  return found.device === top.device;
}
