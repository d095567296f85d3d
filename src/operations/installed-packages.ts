import { DatabaseSync } from 'node:sqlite';
import type { Digest, RawPath } from '../foundation/brand.ts';
import type { Entry } from '../image/entry.ts';
import { apkPaths, parseApkInstalled } from '../machine/packages/apk.ts';
import { dpkgListPattern, dpkgStatusPath, parseDpkgStatus } from '../machine/packages/dpkg.ts';
import { type InstalledPackage, pathInTree } from '../machine/packages/package-database.ts';
import { pacmanPattern, parsePacmanDesc, parsePacmanSections } from '../machine/packages/pacman.ts';
import { parseRpmHeader, rpmPaths } from '../machine/packages/rpm.ts';
import type { Store } from '../store/store.ts';
import { readContents } from './read-contents.ts';

/** A package database is not larger than this; what claims to be is not read. */
const databaseLimit = 512 << 20;
const databaseFiles = new Set<string>([dpkgStatusPath, ...apkPaths, ...rpmPaths]);

/** What is installed in a version, by its package managers' own databases. */
export interface InstalledPackages {
  packages: InstalledPackage[];
  /** `id` of the package that a path of the tree belongs to; the last one that claims it. */
  owners: Map<RawPath, string>;
}

/** Gathers, of all entries of a version, those that package databases need; then reads them. */
export class PackageSurvey {
  readonly #files: Entry[] = [];
  readonly #topLinks = new Map<string, string>();

  /** Must see every entry of the version that `isSurveyed` wants. */
  see(entry: Entry): void {
    const { path, type, target } = entry;
    if (type === 'symlink' && !path.includes('/') && target !== undefined) {
      this.#topLinks.set(path, target.replace(/^\/+/, '').replace(/\/+$/, ''));
      return;
    }
    if (type === 'file' && isDatabaseFile(path) && (entry.size ?? 0) <= databaseLimit) this.#files.push(entry);
  }

  /** What stands for the state of all databases: equal where nothing was installed or removed. */
  fingerprint(): string {
    return this.#files
      .map(({ path, chunks = [] }) => `${path}=${chunks.map(({ hash }) => Buffer.from(hash).toString('hex')).join()}`)
      .join('\n');
  }

  /** Reads and parses the databases. A database that makes no sense counts as empty. */
  async read(store: Store, digest: Digest, signal: AbortSignal): Promise<InstalledPackages> {
    const contents = await readContents(store, digest, this.#files, signal);
    const packages: InstalledPackage[] = [];
    const owners = new Map<RawPath, string>();
    const own = (paths: Iterable<string>, id: string) => {
      for (const path of paths) if (path !== '' && path !== '/.') owners.set(pathInTree(path, this.#topLinks), id);
    };
    for (const [path, bytes] of contents) {
      const list = dpkgListPattern.exec(path)?.[1];
      if (list !== undefined) own(bytes.toString('latin1').split('\n'), list);
      else if (path === dpkgStatusPath) packages.push(...parseDpkgStatus(bytes.toString('latin1')));
      else if ((apkPaths as readonly string[]).includes(path)) {
        for (const found of parseApkInstalled(bytes.toString('latin1'))) {
          packages.push(found.package);
          own(found.paths, found.package.id);
        }
      } else if ((rpmPaths as readonly string[]).includes(path)) {
        for (const found of readRpmDatabase(bytes)) {
          packages.push(found.package);
          own(found.paths, found.package.id);
        }
      } else if (path.endsWith('/desc')) {
        const found = parsePacmanDesc(bytes.toString('latin1'));
        if (found === undefined) continue;
        packages.push(found);
        const files = contents.get(path.replace(/desc$/, 'files') as RawPath);
        own(parsePacmanSections(files?.toString('latin1') ?? '').get('FILES') ?? [], found.id);
      }
    }
    return { packages, owners };
  }
}

/** Whether a `PackageSurvey` must see the entry at a path. */
export function isSurveyed(path: string): boolean {
  return isDatabaseFile(path) || !path.includes('/');
}

function isDatabaseFile(path: string): boolean {
  if (!path.startsWith('var/lib/') && !path.startsWith('usr/lib/') && !path.startsWith('lib/apk/')) return false;
  return databaseFiles.has(path) || dpkgListPattern.test(path) || pacmanPattern.test(path);
}

function readRpmDatabase(bytes: Buffer): { package: InstalledPackage; paths: string[] }[] {
  const copy = Buffer.from(bytes);
  // Written with a log beside it (WAL), which a database in memory cannot have: what counts is in the main file once rpm is done.
  if (copy[18] === 2) copy.fill(1, 18, 20);
  const database = new DatabaseSync(':memory:');
  try {
    database.deserialize(copy);
    const rows = database.prepare('SELECT blob FROM Packages').all();
    return rows.flatMap(({ blob }) => (blob instanceof Uint8Array ? (parseRpmHeader(blob) ?? []) : []));
  } catch {
    return [];
  } finally {
    database.close();
  }
}
