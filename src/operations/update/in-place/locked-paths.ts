import { displayPath, type RawPath } from '../../../foundation/brand.ts';
import { isDirectory } from '../../../native/status.ts';
import { look } from './root-paths.ts';

/**
 * The first of these paths, or of the directories above them, that somebody protects from changes (`chattr +i`, `+a`): nothing can be put in its place, nor a
 * name into it, by us or by the initramfs. In words for people; undefined where there is none. `root`: without a slash at the end.
 */
export function lockedPath(root: string, paths: Iterable<RawPath>): string | undefined {
  const seen = new Set<string>();
  /** False where nothing of this root lies behind it. */
  const isFree = (path: string): boolean => {
    const found = look(path === '' ? `${root}/` : `${root}/${path}`);
    if (found?.locked) throw new Locked(path);
    return found !== undefined && isDirectory(found.mode);
  };
  try {
    isFree('');
    for (const path of paths) {
      let real = true;
      for (let end = path.indexOf('/'); real && end > 0; end = path.indexOf('/', end + 1)) {
        const parent = path.slice(0, end);
        if (seen.has(parent)) continue;
        real = isFree(parent);
        if (real) seen.add(parent);
      }
      if (real && path !== '') isFree(path);
    }
  } catch (thrown) {
    if (thrown instanceof Locked) return `/${displayPath(thrown.path as RawPath)}`;
    throw thrown;
  }
  return undefined;
}

/** What is said of it. */
export function lockedProblem(path: string): string {
  return `${path} is protected from changes (lsattr -d shows i or a; chattr -i -a takes that away)`;
}

class Locked extends Error {
  readonly path: string;

  constructor(path: string) {
    super(path);
    this.path = path;
  }
}
