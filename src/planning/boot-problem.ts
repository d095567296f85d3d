import { ImprintError } from '../foundation/errors.ts';
import type { DiskEntry } from './disk-entries.ts';
import type { LayoutQuestion } from './layout-solution.ts';
import { mebibyte } from './place-partitions.ts';

/** Why the firmware of a machine would start nothing from the disks of a layout; undefined where it will. */
export function bootProblem(question: LayoutQuestion, entries: readonly DiskEntry[]): ImprintError | undefined {
  const { firmware, machine, reference } = question;
  const unsolvable = (problem: string, hint: string) =>
    new ImprintError('layout-unsolvable', { machine, problem, hint });
  const boot = entries.find(({ partitions }) => partitions.some(({ entry }) => entry.role === 'boot'));
  if (boot === undefined)
    return unsolvable('no disk that is there has its boot partition', 'Count the disks of the layout again.');
  const has = (role: string) => entries.some(({ partitions }) => partitions.some(({ entry }) => entry.role === role));
  if (firmware === 'uefi') {
    return has('esp')
      ? undefined
      : unsolvable(
          'its firmware is UEFI, and the layout has no partition of the role esp',
          'Add one: { name: esp, role: esp }',
        );
  }
  const { facts, entry } = boot;
  if (facts.sectorSize !== 512) {
    const problem = `its firmware is a BIOS, which cannot boot ${facts.path} with sectors of ${facts.sectorSize} bytes`;
    const hint = 'Switch the machine to UEFI, or use another disk.';
    return new ImprintError('image-unfit', { reference, machine, problem, hint });
  }
  const staysMbr = facts.table?.type === 'mbr' && !(entry.erase ?? []).includes('all') && entry.table !== 'gpt';
  if (entry.table === 'mbr' || staysMbr) {
    const [first] = facts.partitions ?? [];
    if (entry.erase?.includes('all') || first === undefined || first.start >= mebibyte) return undefined;
    const problem = `the first partition of ${facts.path} begins at ${first.start / 1024} KiB, and GRUB's core for a BIOS does not fit in front of it`;
    return unsolvable(problem, 'Use another disk, or erase it whole (erase: all).');
  }
  return has('bios-boot')
    ? undefined
    : unsolvable(
        'its firmware is a BIOS, and the layout has no partition of the role bios-boot',
        'Add one: { name: bios, role: bios-boot }',
      );
}
