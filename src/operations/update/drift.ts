import { displayPath } from '../../foundation/brand.ts';
import { unmergedPathOf } from '../../machine/unmerged-files.ts';
import type { Choice } from '../../planning/choose-change.ts';
import type { DriftItem } from './in-place/in-place-plan.ts';

/** What happened to a path, and what an update does with it, in words: `changed (content)`, `kept`. */
export function describeDrift({ path, kind, changes, choice, conflict }: DriftItem): {
  path: string;
  change: string;
  action: string;
} {
  const what = changes.length === 0 || kind !== 'changed' ? kind : `${kind} (${changes.join(', ')})`;
  const why = conflict === undefined ? '' : `: ${conflict}`;
  const where = choice === 'beside' ? ` /${displayPath(unmergedPathOf(path))}` : '';
  return { path: `/${displayPath(path)}`, change: what, action: `${actionWords[choice]}${where}${why}` };
}

/** What people must know after an update: each file that stays though the version has another, and where that is. */
export function conflictWarnings(drift: readonly DriftItem[]): string[] {
  return drift
    .filter(({ choice }) => choice === 'beside')
    .map(({ path, conflict }) => {
      const why = conflict === undefined ? '' : ` (${conflict})`;
      return `/${displayPath(path)} stays as it is here${why}; the version’s is /${displayPath(unmergedPathOf(path))}`;
    });
}

const actionWords: Readonly<Record<Choice, string>> = {
  nothing: 'stays',
  keep: 'kept',
  merge: 'merged',
  beside: 'kept, the version’s put at',
  put: 'overwritten',
  remove: 'removed',
};
