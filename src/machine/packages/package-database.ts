import type { RawPath } from '../../foundation/brand.ts';

/** A package that is installed in a tree, as its package manager's database says. */
export interface InstalledPackage {
  manager: PackageManager;
  name: string;
  version: string;
  architecture?: string;
  /** The database's own way to name it where one name can be there twice: `libc6:amd64`. */
  id: string;
}

export type PackageManager = 'dpkg' | 'rpm' | 'apk' | 'pacman';

/** A package that is not the same in two trees. */
export interface PackageChange {
  manager: PackageManager;
  name: string;
  architecture?: string;
  id: string;
  /** Version before; absent where the package is new. */
  before?: string;
  /** Version after; absent where it is gone. */
  after?: string;
}

/** What differs between two lists of packages, by name. Several versions of one package (kernels of rpm) stand side by side. */
export function diffPackages(before: readonly InstalledPackage[], after: readonly InstalledPackage[]): PackageChange[] {
  const keys = new Map<string, { old: InstalledPackage[]; now: InstalledPackage[] }>();
  const slot = (found: InstalledPackage) => {
    const key = `${found.manager} ${found.id}`;
    const known = keys.get(key) ?? { old: [], now: [] };
    keys.set(key, known);
    return known;
  };
  for (const found of before) slot(found).old.push(found);
  for (const found of after) slot(found).now.push(found);
  const changes: PackageChange[] = [];
  for (const { old, now } of keys.values()) {
    const onlyOld = old.filter(({ version }) => !now.some((other) => other.version === version));
    const onlyNow = now.filter(({ version }) => !old.some((other) => other.version === version));
    for (let index = 0; index < Math.max(onlyOld.length, onlyNow.length); index += 1) {
      const [was, is] = [onlyOld[index], onlyNow[index]];
      const either = is ?? was;
      if (either === undefined) continue;
      const { manager, name, architecture, id } = either;
      changes.push({
        manager,
        name,
        ...(architecture === undefined ? {} : { architecture }),
        id,
        ...(was === undefined ? {} : { before: was.version }),
        ...(is === undefined ? {} : { after: is.version }),
      });
    }
  }
  return changes.toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

/**
 * A path as a package's list has it (`/lib/x`), as the tree has it (`usr/lib/x`): links at the top of the tree that lead
 * into `usr` are followed, as dpkg and rpm themselves do not.
 */
export function pathInTree(listed: string, topLinks: ReadonlyMap<string, string>): RawPath {
  const path = listed.replace(/^\/+/, '').replace(/\/+$/, '');
  const slash = path.indexOf('/');
  const top = slash < 0 ? path : path.slice(0, slash);
  const target = slash < 0 ? undefined : topLinks.get(top);
  return (target === undefined ? path : `${target}${path.slice(slash)}`) as RawPath;
}

/** Whether a path is part of a package manager's own state, which changes with every package. */
export function isPackageState(path: string): boolean {
  return /^(?:var\/lib\/(?:dpkg|rpm|pacman|apt)|usr\/lib\/sysimage\/rpm|(?:usr\/)?lib\/apk)(?:\/|$)/.test(path);
}
