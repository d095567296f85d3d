import type { RawPath } from '../foundation/brand.ts';
import type { Entry } from '../image/entry.ts';
import { defaultExcludes, type Excluder, parseExcludes } from './exclude.ts';
import { machineSecrets, type ScrubAction, secretFinder } from './secrets.ts';

/** What of a version decides what its edit leaves out. Serialisable: it is kept with the edit. */
export interface BaseFacts {
  /** Whether the tree is a whole system: nothing is left out of another one. */
  isSystem: boolean;
  /** Default excludes that the version has nothing of: what matches came with the edit, and does not get into the next version. */
  excludes: string[];
  /** Secrets that the version holds: they stay. */
  secrets: RawPath[];
}

/** What an edit leaves out of the version it makes. */
export interface EditRules {
  excludes(path: RawPath, isDirectory: boolean): boolean;
  /** What becomes of a secret that came with the edit. `isFile`: asked only where it matters. */
  secret(path: RawPath, isDirectory: boolean, isFile: () => boolean): ScrubAction | undefined;
}

const secretGlobs = machineSecrets.flatMap(({ globs }) => globs);

/** Looks at the entries of a version, one after another. `also`: globs that are treated as the default ones are. */
export class BaseSurvey {
  readonly #excluders: Map<string, Excluder>;
  readonly #mayMatch: (path: string) => boolean;
  readonly #finder = secretFinder();
  readonly #secrets: RawPath[] = [];
  readonly #signs = new Set<string>();

  constructor(also: readonly string[] = []) {
    const globs = [...defaultExcludes, ...also];
    this.#excluders = new Map(globs.map((glob) => [glob, parseExcludes([glob])]));
    this.#mayMatch = firstNames([...globs, ...secretGlobs]);
  }

  add({ path, type, size = 0 }: Entry): void {
    if (path === 'etc' || path === 'usr' || path === 'etc/os-release') this.#signs.add(path);
    if (!this.#mayMatch(path)) return;
    const isDirectory = type === 'directory';
    for (const [glob, excluder] of this.#excluders) {
      if (excluder.excludes(path, isDirectory)) this.#excluders.delete(glob);
    }
    const action = this.#finder.find(path, isDirectory, type === 'file');
    // An empty file is what is left of a secret that was scrubbed.
    if (action === 'remove' || (action === 'empty' && size > 0)) this.#secrets.push(path);
  }

  facts(): BaseFacts {
    const signs = this.#signs;
    return {
      isSystem: signs.has('etc/os-release') || (signs.has('etc') && signs.has('usr')),
      excludes: [...this.#excluders.keys()],
      secrets: this.#secrets,
    };
  }
}

/** The rules for a tree with these facts. */
export function editRules(facts: BaseFacts): EditRules {
  if (!facts.isSystem) return { excludes: () => false, secret: () => undefined };
  const excluder = parseExcludes(facts.excludes);
  const finder = secretFinder();
  const kept = new Set(facts.secrets);
  const mayBeExcluded = firstNames(facts.excludes);
  const mayBeSecret = firstNames(secretGlobs);
  return {
    excludes: (path, isDirectory) => mayBeExcluded(path) && excluder.excludes(path, isDirectory),
    secret(path, isDirectory, isFile) {
      if (!mayBeSecret(path) || kept.has(path)) return undefined;
      const action = finder.find(path, isDirectory, true);
      if (action === undefined || finder.find(path, isDirectory, false) !== undefined) return action;
      return isFile() ? action : undefined;
    },
  };
}

/** Whether a path lies where one of the globs could mean it: most are done with at this first look. */
function firstNames(globs: readonly string[]): (path: string) => boolean {
  const names = globs.map((glob) => /^!?\/([^/*?[\\]+)(?=\/)/.exec(glob)?.[1]);
  if (names.includes(undefined)) return () => true;
  const known = new Set(names);
  return (path) => known.has(firstName(path));
}

function firstName(path: string): string {
  const end = path.indexOf('/');
  return end < 0 ? path : path.slice(0, end);
}

/** The facts of a tree that is made from nothing: all defaults apply. */
export const factsOfNewSystem: BaseFacts = { isSystem: true, excludes: [...defaultExcludes], secrets: [] };
