import { displayPath, type RawPath, rawPath } from '../../../foundation/brand.ts';
import { ImprintError } from '../../../foundation/errors.ts';
import { inPlaceDirectory } from '../../../machine/in-place-journal.ts';
import { agentPaths } from '../../../machine/installed-layout.ts';
import { isDirectory } from '../../../native/status.ts';
import { isOnRoot } from './compare-root.ts';
import { look } from './root-paths.ts';

/** What changes with every update in place, and in one step with the root. */
const needed = [agentPaths.state, inPlaceDirectory];

/**
 * Why nothing can be updated in place here, whatever the version: what says which version a root is lies on another file system than the root (`/var`
 * of its own), where no name can be put together with one of the root. In words for people; undefined where all is well. `root`: absolute.
 */
export function otherFileSystemProblem(root: string): string | undefined {
  const base = rawPath(root).replace(/\/+$/, '');
  const onRoot = isOnRoot((base === '' ? '/' : base) as RawPath);
  for (const path of needed) {
    for (let end = path.indexOf('/'); ; end = path.indexOf('/', end + 1)) {
      const part = end < 0 ? path : path.slice(0, end);
      const found = look(`${base}/${part}`);
      if (found === undefined) break;
      if (!onRoot(found)) return mountedProblem(`/${displayPath(part as RawPath)}`, `holds /${path}`);
      if (end < 0) break;
    }
  }
  return undefined;
}

/**
 * Why a journal's paths cannot all change: a directory on the way to one of them is a file system of its own by now, or a path is. In words for people;
 * undefined where all is well. `root`: without a slash at the end.
 */
export function mountedOver(root: string, paths: Iterable<RawPath>): string | undefined {
  const onRoot = isOnRoot((root === '' ? '/' : root) as RawPath);
  const seen = new Set<string>();
  for (const path of paths) {
    for (let end = path.indexOf('/'); ; end = path.indexOf('/', end + 1)) {
      const part = end < 0 ? path : path.slice(0, end);
      if (end > 0 && seen.has(part)) continue;
      seen.add(part);
      const found = look(`${root}/${part}`);
      // Behind a link lies what another path names.
      if (found === undefined || (end > 0 && !isDirectory(found.mode))) break;
      if (!onRoot(found)) return mountedProblem(`/${displayPath(part as RawPath)}`, 'holds what would have to change');
      if (end < 0) break;
    }
  }
  return undefined;
}

/** Throws `in-place-unfit` for such a machine: before anything is fetched. */
export function requireOneFileSystem(root: string, reference: string): void {
  const problem = otherFileSystemProblem(root);
  if (problem !== undefined) throw new ImprintError('in-place-unfit', { reference, problem, hint: installHint });
}

/** What is said of a file system that would have to change together with the root. `why`: `holds /var/lib/imprint`. */
export function mountedProblem(path: string, why: string): string {
  return `${path} is a file system of its own and ${why}, ${rootAlone}`;
}

export function isMountedProblem(problem: string): boolean {
  return problem.endsWith(rootAlone);
}

const rootAlone = 'but an update in place changes only that of the root';

/** What people can do about it. */
export const installHint =
  'Where all in it is the machine’s own, name it in keep: of /etc/imprint/agent.yaml (not /var, not /usr). Else bring the version by an install, with the layout slots or files or with everything on one file system: imprint install MACHINE.';
