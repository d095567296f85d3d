import { expect, it } from 'vitest';
import type { DiskFacts } from '../contract/machine.ts';
import { hasContent, withBootCopies } from './save-boot-steps.ts';
import { describeStep, type Step } from './step.ts';

const disk = (path: string, content: string): DiskFacts => {
  return { path, content, size: 1, sectorSize: 512, removable: false, readOnly: false, inUse: [] };
};
const disks = [disk('/dev/sda', 'gpt: 3 partitions'), disk('/dev/sdb', 'empty'), disk('/dev/sdc', 'mbr: 1 partition')];
const scripts: Step = { kind: 'run-scripts', phase: 'pre-install', machine: 'web01', scripts: [], variables: {} };
const steps: Step[] = [
  scripts,
  { kind: 'wipe-disk', disk: '/dev/sdb' },
  { kind: 'wipe-disk', disk: '/dev/sda' },
  { kind: 'make-swap', device: '/dev/sda3', uuid: 'u' },
];
const question = { name: 'web01', facts: { disks }, options: {} };

it('keeps what boots from each disk that is written and not empty, after the scripts and before the first write', () => {
  const kept = withBootCopies({ ...question, keepsBoot: 'server' }, steps);
  expect(kept.map(({ kind }) => kind)).toEqual(['run-scripts', 'save-boot', ...steps.slice(1).map(({ kind }) => kind)]);
  expect(kept.slice(1, 2).map(describeStep)).toEqual(['keep a copy of what boots from /dev/sda, at the server']);
  const [first] = withBootCopies({ ...question, keepsBoot: 'medium' }, steps.slice(1));
  expect(first && describeStep(first)).toBe('keep a copy of what boots from /dev/sda, on the medium');
});

it('keeps nothing where nobody can, or nobody wants it', () => {
  expect(withBootCopies(question, steps)).toEqual(steps);
  expect(withBootCopies({ ...question, options: { bootCopy: 'none' }, keepsBoot: 'server' }, steps)).toEqual(steps);
  expect(disks.map(hasContent)).toEqual([true, false, true]);
});
