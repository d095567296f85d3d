import type { BootPointer, TrialCount } from './boot-pointer.ts';

/** What GRUB sees beside its two records. */
export interface BootSight {
  /** Ids of the entries that are there whole. Absent: all that are named. */
  entries?: readonly string[];
  /** There is a file `system-revert` on the host partition. */
  revertFile?: boolean;
  /** There is a file `hn-root-new.img` on the host partition. Absent: GRUB does not see a host partition. */
  droppedImage?: boolean;
}

/**
 * `good`: the healthy one. `trial`: one that is to be proven. `revert`: the one before it, since somebody made `system-revert`.
 * `new`: the hand-dropped image. `rescue`: none of those that the pointer names can boot; any other.
 */
export type BootKind = 'good' | 'trial' | 'revert' | 'new' | 'rescue';

/** What boots now, and what GRUB writes down before it. */
export interface BootDecision {
  /** Id of an entry; for `new` the id `new`, which is no entry. */
  entry: string;
  kind: BootKind;
  /** Tries left after this boot; only where `kind` is `trial` or `new`. */
  left?: number;
  /** What tries.env must say before the boot goes on. Absent: as it is. */
  write?: TrialCount;
  /** What is tried, in this order, where `entry` cannot be loaded. */
  otherwise: string[];
}

/** Boots that a hand-dropped image gets. */
export const droppedTries = 3;

/** As which id GRUB passes a hand-dropped image on (`imprint.slot=new`). */
export const droppedEntry = 'new';

/**
 * What GRUB's script decides (`boot-script-grub.ts`; a test runs both over the same states). Undefined where nothing can boot.
 *
 * A record of the tries that cannot be read counts nothing: no trial, no revert, no hand-dropped image, the good one boots.
 */
export function decideBoot(
  pointer: BootPointer | undefined,
  tries: TrialCount | undefined,
  sight: BootSight = {},
): BootDecision | undefined {
  const named = [pointer?.good, pointer?.previous, pointer?.trial].filter((id) => id !== undefined);
  const there = sight.entries ?? named;
  const order = [...new Set([...named, ...there])].filter((id) => there.includes(id));
  const decide = (entry: string, kind: BootKind, more: Partial<BootDecision> = {}): BootDecision => ({
    entry,
    kind,
    ...more,
    otherwise: order.filter((id) => id !== entry),
  });
  const counted = tries && withoutStaleDrop(tries, sight);
  const cleared = counted === undefined || counted === tries ? {} : { write: counted };
  if (pointer !== undefined && counted !== undefined) {
    const { sequence, good, trial } = pointer;
    const back = revertTarget(pointer, counted);
    if (back !== undefined && there.includes(back)) {
      if (counted.revert === sequence) return decide(back, 'revert', cleared);
      if (sight.revertFile) return decide(back, 'revert', { write: { ...counted, revert: sequence } });
    }
    const left = triesLeft(pointer, counted);
    if (trial !== undefined && there.includes(trial) && left > 0) {
      return decide(trial, 'trial', { left: left - 1, write: { ...counted, sequence, left: left - 1 } });
    }
    const newLeft = counted.newLeft ?? droppedTries;
    if (sight.droppedImage && newLeft > 0 && there.includes(good)) {
      return decide(droppedEntry, 'new', { left: newLeft - 1, write: { ...counted, newLeft: newLeft - 1 } });
    }
  }
  const [first] = order;
  if (first === undefined) return undefined;
  return decide(first, first === pointer?.good ? 'good' : 'rescue', cleared);
}

/**
 * What `system-revert` goes back to: the good one where a trial has begun, else the one before the good one. Userspace ends it by
 * deleting the file, then writing the record in which what runs is the good one (`committed` of `trial.ts`).
 */
export function revertTarget(pointer: BootPointer, tries: TrialCount): string | undefined {
  return pointer.trial !== undefined && tries.sequence === pointer.sequence ? pointer.good : pointer.previous;
}

/** GRUB forgets the tries of a hand-dropped image that is there no longer: the next one has its own. */
function withoutStaleDrop(tries: TrialCount, sight: BootSight): TrialCount {
  if (sight.droppedImage !== false || tries.newLeft === undefined) return tries;
  const { newLeft: _, ...rest } = tries;
  return rest;
}

/** Boots that the pointer's trial still gets; 0 without one. */
export function triesLeft(pointer: BootPointer, tries: TrialCount | undefined): number {
  if (pointer.trial === undefined || tries === undefined) return 0;
  return tries.sequence === pointer.sequence ? Math.min(tries.left, pointer.tries) : pointer.tries;
}
