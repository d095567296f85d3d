import { resolve } from 'node:path';
import type { BootEntry } from '../../src/machine/boot-pointer.ts';
import { journalOfEntry } from '../../src/machine/in-place-journal.ts';
import { systemProcesses } from '../../src/system/run.ts';

const script = resolve(import.meta.dirname, '../../boot/in-place/in-place.sh');

/**
 * Brings a mounted root to the version that the kernel of an entry belongs to, by the script that the entry's initramfs runs for it. Entries that say
 * nothing of an update in place leave it as it is. Throws what the script said where it gives up: the machine would restart.
 */
export async function bringAsInitramfs(
  { kernelOptions }: Pick<BootEntry, 'kernelOptions'>,
  root: string,
): Promise<void> {
  const journal = journalOfEntry(kernelOptions);
  if (journal === undefined) return;
  const text = '. "$1"; imprint_in_place "$2" "$3" "$4"';
  await systemProcesses.run('dash', ['-c', text, 'sh', script, journal.direction, root, journal.id], {
    timeout: 120_000,
  });
}
