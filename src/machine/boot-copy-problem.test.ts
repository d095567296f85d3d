import { expect, it } from 'vitest';
import type { BootArea, BootCopy } from '../contract/boot-copy.ts';
import { bootCopyProblem } from './boot-copy-problem.ts';

const sha256 = 'a'.repeat(64);
const area = (part: BootArea['part'], name: string, offset: number, length: number): BootArea => ({
  ...{ part, name, offset, length, sha256, file: `disk/${name}.bin` },
});
const volume = { partition: 2, offset: 2000, size: 1000, volumeId: 'CAFE1234', label: '', directories: [] };
const own = { runs: [{ offset: 0, length: 100 }], sha256, file: 'esp-2/tables.bin' };
const program = { path: 'x.efi', size: 9, sha256, modified: 0, runs: [{ offset: 100, length: 10 }], file: 'esp-2/x' };
const whole: BootCopy = {
  ...{ imprint: 'boot-copy', format: 1, created: '2026-11-21T18:00:00.000Z', machine: { name: 'web01' } },
  disk: { path: '/dev/sda', size: 10_000, sectorSize: 512 },
  table: {
    ...{ label: 'gpt', hash: sha256 },
    partitions: [
      { number: 1, start: 1000, size: 1000, type: 'bios' },
      { number: 2, start: 2000, size: 1000, type: 'esp' },
    ],
  },
  areas: [
    area('table', 'primary', 446, 66),
    area('gap', 'gap', 512, 488),
    area('bios-boot', 'partition-1', 1000, 1000),
    area('esp', 'esp-2-run-0', 2000, 100),
    area('code', 'before-boot-code', 0, 440),
    area('gap', 'before-gap', 512, 4000),
  ],
  volumes: [{ ...volume, files: [program], own }],
  variables: [{ name: 'Boot0001', size: 9, sha256, file: 'variables/Boot0001' }],
  ...{ environments: [], problems: [] },
};

it('takes what Imprint writes', () => {
  expect(bootCopyProblem(whole)).toBeUndefined();
});

it.each<[what: string, wrong: Partial<BootCopy>, said: RegExp]>([
  ['what lies behind the disk', { areas: [area('table', 'backup', 9_990, 66)] }, /backup.bin does not belong/],
  ['boot code in a partition', { areas: [area('code', 'boot-code', 2000, 440)] }, /at byte 2000/],
  ['boot code over the table', { areas: [area('code', 'boot-code', 0, 512)] }, /boot-code.bin/],
  ['a gap that reaches into a partition', { areas: [area('gap', 'gap', 512, 489)] }, /gap.bin/],
  ['a BIOS boot partition in the next one', { areas: [area('bios-boot', 'partition-1', 2000, 1000)] }, /partition-1/],
  ['an ESP behind the disk', { volumes: [{ ...volume, offset: 9_001, files: [], own }] }, /ESP of partition 2/],
  [
    'a file outside of its ESP',
    { volumes: [{ ...volume, own, files: [{ ...program, runs: [{ offset: 995, length: 10 }] }] }] },
    /ESP of partition 2/,
  ],
  [
    'a file with less room than it is long',
    { volumes: [{ ...volume, own, files: [{ ...program, runs: [{ offset: 100, length: 8 }] }] }] },
    /ESP of partition 2/,
  ],
  [
    'another variable',
    { variables: [{ name: '../../x', size: 1, sha256, file: 'variables/x' }] },
    /variables\/x is no boot variable/,
  ],
])('refuses %s', (_what, wrong, said) => {
  expect(bootCopyProblem({ ...whole, ...wrong })).toMatch(said);
});
