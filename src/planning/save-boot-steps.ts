import type { DiskFacts, InstallOptions } from '../contract/machine.ts';
import type { Step } from './step.ts';

/** Who keeps what booted from the disks before an install: the server that ordered it, or the medium that it comes from. */
export type BootCopyKeeper = 'server' | 'medium';

/** What there is to know of an install. */
interface SavingQuestion {
  name: string;
  facts: { disks: readonly DiskFacts[] };
  options: Pick<InstallOptions, 'bootCopy'>;
  keepsBoot?: BootCopyKeeper;
}

/** The steps of an install with a safety copy of each disk that is written and has something on it, before the first of them is. */
export function withBootCopies(question: SavingQuestion, steps: readonly Step[]): Step[] {
  const { name: machine, facts, options, keepsBoot: to } = question;
  if (to === undefined || options.bootCopy === 'none') return [...steps];
  const written = new Set(steps.flatMap((step) => ('disk' in step ? [step.disk] : [])));
  const copies = facts.disks
    .filter((disk) => written.has(disk.path) && hasContent(disk))
    .map(({ path: disk }): Step => ({ kind: 'save-boot', machine, disk, to }));
  // Scripts may make a disk before.
  const first = steps.findIndex((step) => step.kind !== 'run-scripts');
  return steps.toSpliced(first, 0, ...copies);
}

/** Whether there is anything on a disk that could have made it boot. */
export function hasContent({ content }: Pick<DiskFacts, 'content'>): boolean {
  return content !== 'empty';
}
