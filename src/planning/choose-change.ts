/** What becomes of changes that a machine made to files of its version (drift). */
export type DriftMode = 'keep' | 'merge' | 'overwrite';

/** How a path stands on the machine. */
export type LocalState =
  /** As the version says that the machine has now. */
  | 'same'
  /** As the new version has it already. */
  | 'wanted'
  | 'changed'
  | 'missing';

export interface PathSituation {
  /** Whether the version that runs, and the new one, have the path. */
  before: boolean;
  after: boolean;
  /** Whether the two differ in it; false where only one has it does not matter. */
  differs: boolean;
  local: LocalState;
  /** `configuration` is made to be edited: what people wrote there outlives a merge. */
  area: 'configuration' | 'program';
}

/**
 * `put` what the new version has · `remove` · `keep` what is there (drift that stays) · `merge` what is there with what changed (where it cannot be merged: `beside`) ·
 * `beside`: keep what is there, put the new one beside it · `nothing` to do and nothing to tell.
 */
export type Choice = 'nothing' | 'put' | 'remove' | 'keep' | 'merge' | 'beside';

/** What an update in place does with a path. A table; see `choose-change.test.ts`. */
export function chooseChange({ before, after, differs, local, area }: PathSituation, mode: DriftMode): Choice {
  if (local === 'wanted') return 'nothing';
  if (!before && !after) return 'nothing';
  const merging = mode === 'merge' && area === 'configuration';
  if (before && after && !differs) {
    if (local === 'same') return 'nothing';
    // The update has nothing to do with it: only who wants the version as it is gets it so.
    return mode === 'overwrite' ? 'put' : 'keep';
  }
  if (after) {
    if (local === 'same' || (local === 'missing' && !before)) return 'put';
    if (mode === 'keep') return 'keep';
    if (!merging) return 'put';
    if (local === 'missing') return 'keep';
    return before ? 'merge' : 'beside';
  }
  if (local === 'missing') return 'nothing';
  if (local === 'same') return 'remove';
  return mode === 'keep' || merging ? 'keep' : 'remove';
}
