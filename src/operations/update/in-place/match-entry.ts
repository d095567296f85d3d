import { rawPath } from '../../../foundation/brand.ts';
import { ImprintError } from '../../../foundation/errors.ts';
import type { BootEntry } from '../../../machine/boot-pointer.ts';
import { inPlaceDirectory, journalOfEntry } from '../../../machine/in-place-journal.ts';
import { applyInPlace, listInPlace, undoInPlace } from './apply-in-place.ts';
import { lockedPath, lockedProblem } from './locked-paths.ts';
import { mountedOver } from './other-file-systems.ts';
import { readJournal, readState, updatePaths } from './root-paths.ts';

/**
 * Whether a root is the version that an entry's initramfs would bring it to. It is not where an update in place has changed it and waits for its restart,
 * or was cut while the system ran.
 */
export function isAsEntry(root: string, { kernelOptions }: Pick<BootEntry, 'kernelOptions'>): boolean {
  const journal = journalOfEntry(kernelOptions);
  const known = listInPlace(root).find(({ id }) => id === journal?.id);
  return known === undefined || known.state === (journal?.direction === 'redo' ? 'new' : 'old');
}

/**
 * Throws `in-place-unfit` where a root could not be brought to what an entry boots, so that its initramfs would never come to an end: what is needed for it is
 * gone, somebody protects a path from changes, or has mounted something over it.
 */
export function requireReachable(root: string, entry: Pick<BootEntry, 'kernelOptions' | 'reference'>): void {
  const journal = journalOfEntry(entry.kernelOptions);
  if (journal === undefined) return;
  requireKept(root, journal.id, entry.reference);
  if (isAsEntry(root, entry)) return;
  const paths = updatePaths(rawPath(root), journal.id);
  const { files, directories } = readJournal(paths);
  const mounted = mountedOver(paths.root, [...files, ...directories]);
  if (mounted !== undefined) {
    const hint = 'Unmount it, then try again.';
    throw new ImprintError('in-place-unfit', { reference: entry.reference, problem: mounted, hint });
  }
  const locked = lockedPath(paths.root, [...files, ...directories]);
  if (locked === undefined) return;
  const hint = 'Take that away, then try again.';
  throw new ImprintError('in-place-unfit', { reference: entry.reference, problem: lockedProblem(locked), hint });
}

function requireKept(root: string, id: string, reference: string): void {
  if (readState(updatePaths(rawPath(root), id)) !== undefined) return;
  const problem = `what it was made from is no longer in /${inPlaceDirectory}/${id}`;
  const hint = 'Update to that version instead: imprint update --image …';
  throw new ImprintError('in-place-unfit', { reference, problem, hint });
}

/** Brings a root that runs to that version, once the pointer has it so. Errors as `applyInPlace`. */
export function bringToEntry(root: string, { kernelOptions }: Pick<BootEntry, 'kernelOptions'>): void {
  const journal = journalOfEntry(kernelOptions);
  if (journal?.direction === 'redo') applyInPlace(root, journal.id);
  else if (journal !== undefined) undoInPlace(root, journal.id);
}
