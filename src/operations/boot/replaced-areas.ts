import type { BootCopy } from '../../contract/boot-copy.ts';
import type { WantedArea } from '../../machine/boot-areas.ts';
import type { RestoreStep } from '../../planning/plan-boot-restore.ts';

/** Bytes that steps will write over and that a copy of the disk as it is would not hold by itself. Pure. */
export function replacedAreas(steps: readonly RestoreStep[], present: BootCopy): WantedArea[] {
  return steps.flatMap((step): WantedArea[] => {
    if (step.kind === 'write-area') {
      const { part, name, offset, length } = step.area;
      const kept = present.areas.some((area) => area.offset <= offset && area.offset + area.length >= offset + length);
      return kept ? [] : [{ part, name: `before-${name.replace('before-', '')}`, offset, length }];
    }
    if (step.kind !== 'rebuild-volume') return [];
    const { volume } = step;
    if (present.volumes.some(({ offset }) => offset === volume.offset)) return [];
    const runs = [...volume.own.runs, ...volume.files.flatMap((file) => file.runs)];
    return runs.map(({ offset, length }, index) => ({
      ...({ part: 'esp', name: `esp-${volume.partition}-run-${index}` } as const),
      ...{ offset: volume.offset + offset, length },
    }));
  });
}
