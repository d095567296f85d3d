import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ImprintError } from '../foundation/errors.ts';

/**
 * Makes a directory and those above it that lack, each with `mode` (less the umask). Returns the topmost that was made; undefined where all
 * of them were there. For paths that people give: Node's own recursive `mkdir` never ends below `/proc`, where a directory exists and yet
 * nothing can be made in it (ENOENT). Errors: `read-only` there, else the system's own.
 */
export async function makeDirectories(path: string, mode = 0o777): Promise<string | undefined> {
  try {
    await mkdir(path, mode);
    return path;
  } catch (error) {
    const parent = dirname(path);
    if (codeOf(error) === 'ENOENT' && parent !== path) {
      const first = await makeDirectories(parent, mode);
      // Another process may have made it in the meantime.
      await mkdir(path, mode).catch((again) => requireDirectory(path, again));
      return first ?? path;
    }
    await requireDirectory(path, error);
    return undefined;
  }
}

/** Rejects with `error` unless there is a directory. */
async function requireDirectory(path: string, error: unknown): Promise<void> {
  if (codeOf(error) === 'ENOENT')
    throw new ImprintError('read-only', { path, problem: 'nothing can be made there' }, { cause: error });
  if (codeOf(error) === 'EEXIST' || codeOf(error) === 'EROFS' || codeOf(error) === 'EACCES') {
    const there = await stat(path).catch(() => undefined);
    if (there?.isDirectory()) return;
  }
  throw error;
}

function codeOf(error: unknown): unknown {
  return (error as NodeJS.ErrnoException).code;
}
