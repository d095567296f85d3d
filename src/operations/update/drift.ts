import { displayPath } from '../../foundation/brand.ts';
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
