import { describe, expect, it } from 'vitest';
import { versionRecord } from '../../tests/version-record.ts';
import type { DiskFacts, PartitionFacts } from '../contract/machine.ts';
import { gatherLimit, gatherSteps } from './gather-old.ts';
import type { SolvedDisk } from './layout-solution.ts';
import { describeStep } from './step.ts';

const G = 1024 ** 3;
const M = 1024 ** 2;

describe('gatherLimit', () => {
  it.each([
    ['nothing on a machine of 1 GiB', { memory: G }, 0],
    ['nothing where nothing is free', { memory: 64 * G, free: 0 }, 0],
    ['nothing where what is left is not worth it', { memory: 1087 * M }, 0],
    ['what is left beside the install', { memory: 1100 * M }, 76 * M],
    ['the same of what is free', { memory: 4 * G, free: 720 * M }, 80 * M],
    ['a third of all', { memory: 3 * G }, G],
    ['a third of what is free', { memory: 64 * G, free: 1500 * M }, 500 * M],
    ['a third of all, though more were said to be free', { memory: 3 * G, free: 9 * G }, G],
  ])('gives %s', (_what, given, expected) => {
    expect(gatherLimit(given)).toBe(expected);
  });
});

describe('gatherSteps', () => {
  const partition = (number: number, type?: string, label?: string): PartitionFacts => ({
    ...{ number, path: `/dev/vda${number}`, start: number * G, size: G, type: '83' },
    ...(type === undefined ? {} : { content: { type, uuid: `u${number}`, ...(label && { label }) } }),
  });
  const ours = [
    partition(1),
    partition(2, 'vfat', 'EFI-BOOT'),
    partition(3, 'ext4', 'IMPRINT-BOOT'),
    partition(4, 'xfs'),
    partition(5, 'swap'),
    partition(6, 'btrfs'),
    partition(7, 'ntfs'),
  ];
  const step = (partitions: PartitionFacts[], more: { memory?: number; remote?: true; kept?: number[] } = {}) => {
    const { memory = 8 * G, kept } = more;
    const facts = { path: '/dev/vda', partitions } as DiskFacts;
    const solved = partitions
      .filter(({ number }) => kept?.includes(number))
      .map((each) => ({ number: each.number, start: 0, size: 1, type: '', kept: each }));
    const disk: SolvedDisk = { name: 'd', facts, table: 'gpt', tableKept: kept !== undefined, partitions: solved };
    const question = {
      ...{ reference: 'web:4', record: versionRecord({}), ...('remote' in more ? {} : { remote: true as const }) },
      facts: { memory },
    };
    return gatherSteps(question as Parameters<typeof gatherSteps>[0], { disks: [disk] });
  };

  it('looks at what goes and may be a system of ours', () => {
    const [only, ...others] = step(ours);
    expect(others).toEqual([]);
    expect(only).toMatchObject({
      ...{ kind: 'gather-old', boots: ['/dev/vda3'] },
      systems: [
        { device: '/dev/vda4', fileSystem: 'xfs', uuid: 'u4' },
        { device: '/dev/vda6', fileSystem: 'btrfs', uuid: 'u6' },
      ],
    });
    expect(only && describeStep(only)).toBe(
      'take from the old system what web:4 shares with it, up to 10.5 MiB in memory',
    );
  });

  it('does not touch what stays', () => {
    expect(step(ours, { kept: [6, 7] })).toMatchObject([{ systems: [{ device: '/dev/vda4' }] }]);
    expect(step(ours, { kept: [3] })).toEqual([]);
  });

  it.each([
    ['an empty disk', []],
    ['another system', [partition(1, 'ext4', 'boot'), partition(2, 'ext4')]],
    ['a boot partition without a system', [partition(1, 'ext4', 'IMPRINT-BOOT'), partition(2, 'ntfs')]],
  ])('leaves %s alone', (_what, partitions) => {
    expect(step(partitions)).toEqual([]);
  });

  it('does nothing without memory for it, or where the store is on this machine', () => {
    expect(step(ours, { memory: G })).toEqual([]);
    expect(step(ours, { remote: undefined as unknown as true })).toEqual([]);
  });
});
