import type { SourceFacts } from '../contract/image.ts';
import { type Layout, layoutSchema } from '../contract/layout.ts';
import { formatBytes } from '../foundation/bytes.ts';
import { layoutProblems } from '../machine/layout-problems.ts';
import { type LayoutComments, sizeText } from '../machine/layout-yaml.ts';
import { type CapturedDisk, captureDisks } from './capture-disks.ts';
import { captureStack } from './capture-stack.ts';
import { GoldenStack } from './golden-stack.ts';
import { wholeMebibytes } from './layout-least.ts';
import { LayoutNames } from './layout-names.ts';

/** A layout as it was found on a golden machine. */
export interface CapturedLayout {
  layout: Layout;
  /** Where each value came from. */
  comments: LayoutComments;
  head: string[];
  /** What of the machine the layout does not say, or what somebody must still decide. */
  warnings: string[];
}

/** The layout that a golden machine's own disks amount to, as an intent. Pure. */
export function captureLayout(facts: SourceFacts): CapturedLayout {
  const stack = new GoldenStack(facts);
  const names = new LayoutNames();
  const warnings: string[] = [];
  const above = captureStack(stack, names, warnings);
  const disks = captureDisks(stack, above, names, warnings);
  const comments = new Map<string, string[]>();
  for (const [index, disk] of disks.entries()) {
    comments.set(`disks.${index}`, disk.comments);
    for (const [number, partition] of disk.partitions.entries())
      comments.set(`disks.${index}.partitions.${number}`, partition.comments);
  }
  for (const kind of ['raids', 'crypts', 'volumeGroups'] as const) {
    for (const [index, each] of above[kind].entries()) comments.set(`${kind}.${index}`, each.comments);
  }
  for (const [index, group] of above.volumeGroups.entries()) {
    for (const [number, volume] of group.volumes.entries())
      comments.set(`volumeGroups.${index}.volumes.${number}`, volume.comments);
  }
  const swap = captureSwap(stack);
  swap.forEach((each, index) => {
    comments.set(`swap.${index}`, [each.comment]);
  });
  const layout = layoutSchema.parse({
    format: 1,
    disks: disks.map(valueOfDisk),
    raids: above.raids.map(({ value }) => value),
    crypts: above.crypts.map(({ value }) => value),
    volumeGroups: above.volumeGroups.map(({ value, volumes }) => ({
      ...value,
      volumes: volumes.map((each) => each.value),
    })),
    swap: swap.map(({ value }) => value),
  });
  if (facts.storage === undefined) {
    warnings.push(
      'the record is of an older capture, which told nothing of RAID, LVM, encryption and fstab: capture the machine again',
    );
  }
  for (const { problem } of layoutProblems(layout)) warnings.push(problem);
  const machine = [facts.hostName, facts.system?.name].filter((part) => part !== undefined).join(', ');
  return {
    layout,
    comments,
    head: [
      `The disks of ${machine === '' ? facts.location : machine}, as an intent: docs/layouts.md says what every word means.`,
      'Sizes grow and shrink with the disks that it is laid on; look at what it means there: imprint layout solve FILE',
      ...warnings.map((warning) => `To decide: ${warning}`),
    ],
    warnings,
  };
}

function valueOfDisk({ value, partitions }: CapturedDisk): object {
  return { ...value, partitions: partitions.map((each) => each.value) };
}

function captureSwap({ storage }: GoldenStack): { value: object; comment: string }[] {
  const { swapFiles, zram, memory } = storage;
  const share =
    zram === undefined || memory === undefined
      ? undefined
      : Math.min(400, Math.max(1, Math.round((zram * 100) / memory)));
  return [
    ...swapFiles.map(({ path, size }) => ({
      value: { file: path, size: sizeText(wholeMebibytes(size)) },
      comment: 'a file in use as swap',
    })),
    ...(zram === undefined
      ? []
      : [
          {
            value: { zram: true, size: share === undefined ? sizeText(wholeMebibytes(zram)) : `${share}%` },
            comment: `compressed memory: ${formatBytes(zram)}${memory === undefined ? '' : ` of ${formatBytes(memory)}`}`,
          },
        ]),
  ];
}
