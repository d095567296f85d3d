import { displayPath, rawPath } from '../../foundation/brand.ts';
import { toImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import type { Choice } from '../../planning/choose-change.ts';
import { entriesOfBase } from './in-place/base-entries.ts';
import { compareRoot } from './in-place/compare-root.ts';
import type { DriftItem } from './in-place/in-place-plan.ts';
import { areasOf } from './in-place/plan-in-place.ts';
import type { LocalBase } from './update-content.ts';

export interface DriftRequest {
  /** The version that the root was made from, and where it is. */
  base: LocalBase;
  /** Globs of more paths that are the machine's own. */
  keep?: readonly string[];
}

/**
 * What differs between a machine and the version that it was made from, in order, but for what is its own; nothing is written. Content is read only
 * where size and time do not tell. Errors: `input-invalid`, `corrupt-manifest`, `io-failed`, `interrupted`.
 */
export async function* findDrift({ base, keep = [] }: DriftRequest, task: Task): AsyncGenerator<DriftItem> {
  const entries = () => entriesOfBase(base);
  const compared = compareRoot({
    root: rawPath(base.root),
    before: entries,
    after: entries,
    areas: areasOf(keep),
    signal: task.signal,
  });
  try {
    for await (const { path, before, actual, area, local, changes } of compared) {
      if (area === 'own' || area === 'imprint' || local === 'same' || local === 'wanted') continue;
      const kind = before === undefined ? 'added' : actual === undefined ? 'missing' : 'changed';
      yield { path, kind, changes, choice: 'keep' };
    }
  } catch (error) {
    throw toImprintError(error);
  }
}

/** What happened to a path, and what an update does with it, in words: `changed (content)`, `kept`. */
export function describeDrift({ path, kind, changes, choice, conflict }: DriftItem): {
  path: string;
  change: string;
  action: string;
} {
  const what = changes.length === 0 || kind !== 'changed' ? kind : `${kind} (${changes.join(', ')})`;
  const why = conflict === undefined ? '' : `: ${conflict}`;
  return { path: `/${displayPath(path)}`, change: what, action: `${actionWords[choice]}${why}` };
}

const actionWords: Readonly<Record<Choice, string>> = {
  nothing: 'stays',
  keep: 'kept',
  merge: 'merged',
  beside: 'kept, the version’s beside it as .imprint-new',
  put: 'overwritten',
  remove: 'removed',
};
