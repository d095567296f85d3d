import type { BootEntry } from '../../../machine/boot-pointer.ts';
import { journalOfEntry } from '../../../machine/in-place-journal.ts';
import { applyInPlace, listInPlace, undoInPlace } from './apply-in-place.ts';

/**
 * Whether a root is the version that an entry's initramfs would bring it to. It is not where an update in place has changed it and waits for its restart,
 * or was cut while the system ran.
 */
export function isAsEntry(root: string, { kernelOptions }: Pick<BootEntry, 'kernelOptions'>): boolean {
  const journal = journalOfEntry(kernelOptions);
  const known = listInPlace(root).find(({ id }) => id === journal?.id);
  return known === undefined || known.state === (journal?.direction === 'redo' ? 'new' : 'old');
}

/** Brings a root that runs to that version, once the pointer has it so. Errors as `applyInPlace`. */
export function bringToEntry(root: string, { kernelOptions }: Pick<BootEntry, 'kernelOptions'>): void {
  const journal = journalOfEntry(kernelOptions);
  if (journal?.direction === 'redo') applyInPlace(root, journal.id);
  else if (journal !== undefined) undoInPlace(root, journal.id);
}
