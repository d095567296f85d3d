import type { RawPath } from '../foundation/brand.ts';
import type { Entry } from '../image/entry.ts';
import { defaultExcludes, parseExcludes } from './exclude.ts';
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

/** Nothing that a rule could mean lies elsewhere than below these: most paths are done with at the first look. */
const places = new Set(
  [...defaultExcludes, ...machineSecrets.flatMap(({ globs }) => globs)].map((glob) => glob.split('/')[1] ?? ''),
);

/** Looks at the entries of a version, one after another. */
export class BaseSurvey {
  readonly #excluders = new Map(defaultExcludes.map((glob) => [glob, parseExcludes([glob])] as const));
  readonly #finder = secretFinder();
  readonly #secrets: RawPath[] = [];
  readonly #signs = new Set<string>();

  add({ path, type, size = 0 }: Entry): void {
    if (path === 'etc' || path === 'usr' || path === 'etc/os-release') this.#signs.add(path);
    if (!places.has(firstName(path))) return;
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

/** The rules for a tree with these facts; `also`: globs of its own. */
export function editRules(facts: BaseFacts, also: readonly string[] = []): EditRules {
  if (!facts.isSystem) return { excludes: () => false, secret: () => undefined };
  const excluder = parseExcludes([...facts.excludes, ...also]);
  const finder = secretFinder();
  const kept = new Set(facts.secrets);
  const everywhere = also.length > 0;
  return {
    excludes: (path, isDirectory) =>
      (everywhere || places.has(firstName(path))) && excluder.excludes(path, isDirectory),
    secret(path, isDirectory, isFile) {
      if (!places.has(firstName(path)) || kept.has(path)) return undefined;
      const action = finder.find(path, isDirectory, true);
      if (action === undefined || finder.find(path, isDirectory, false) !== undefined) return action;
      return isFile() ? action : undefined;
    },
  };
}

function firstName(path: string): string {
  const end = path.indexOf('/');
  return end < 0 ? path : path.slice(0, end);
}

/** The facts of a tree that is made from nothing: all defaults apply. */
export const factsOfNewSystem: BaseFacts = { isSystem: true, excludes: [...defaultExcludes], secrets: [] };
