import { ImprintError } from '../foundation/errors.ts';
import { patchBootSector, patchCoreImage } from '../machine/grub-core.ts';
import { type MediumTable, renderMediumTable } from '../machine/medium-table.ts';
import type { DiskFile } from './disk-file.ts';
import type { Processes } from './run.ts';

/** Writes the partition table. Errors: `tool-missing`, `process-failed`. */
export async function writeMediumTable(
  processes: Processes,
  disk: DiskFile,
  table: MediumTable,
  signal: AbortSignal,
): Promise<void> {
  // Both copies, and boot code of old.
  disk.clear(0, 2 ** 20);
  disk.clear(table.size - 2 ** 20, 2 ** 20);
  const args = ['--quiet', '--no-reread', '--no-tell-kernel', '--wipe', 'always', disk.path];
  await processes.run('sfdisk', args, { timeout: 60_000, signal, input: renderMediumTable(table) });
}

/** Puts GRUB's core into the BIOS boot partition, and the 440 bytes that start it in front of the partition table. */
export function embedGrub(
  disk: DiskFile,
  place: { start: number; size: number },
  grub: { boot: Uint8Array; core: Uint8Array },
): void {
  const sector = place.start / 512;
  const core = patchCoreImage(grub.core, sector);
  if (core.length > place.size) {
    const problem = `GRUB's core (${core.length} bytes) does not fit`;
    throw new ImprintError('io-failed', { operation: 'writing', path: disk.path, problem });
  }
  disk.clear(place.start, place.size);
  disk.write(place.start, core);
  disk.write(0, patchBootSector(grub.boot, sector));
}
