import { describe, expect, it } from 'vitest';
import type { DiskFacts } from '../contract/machine.ts';
import { chooseDisks } from './choose-disk.ts';
import { ruleFor } from './disk-rule.ts';

const G = 1024 ** 3;

function disk(path: string, size: number, more: Partial<DiskFacts> = {}): DiskFacts {
  const facts = { path, size, sectorSize: 512, removable: false, readOnly: false, content: 'empty', inUse: [] };
  return { ...facts, ...more };
}

const small = disk('/dev/sda', 20 * G, { serial: 'A1', model: 'QEMU HARDDISK', transport: 'sata' });
const large = disk('/dev/sdb', 500 * G, {
  serial: 'B2',
  model: 'Samsung SSD 870',
  transport: 'sata',
  wwn: '0x5002538f',
});
const nvme = disk('/dev/nvme0n1', 500 * G, { serial: 'N3', model: 'Samsung SSD 990', transport: 'nvme' });
const stick = disk('/dev/sdc', 60 * G, { removable: true, transport: 'usb', serial: 'U4' });
const locked = disk('/dev/sdd', 60 * G, { readOnly: true, serial: 'R5' });
const rom = disk('/dev/sde', G / 8, { serial: 'T6' });
const busy = disk('/dev/sdf', 60 * G, { serial: 'B7', inUse: ['/dev/sdf1 mounted on /mnt'] });
const twin = disk('/dev/sdg', 500 * G, { serial: 'G8' });

interface Case {
  what: string;
  disks: DiskFacts[];
  rule?: string;
  needed?: number;
  expected: string;
}

const cases: Case[] = [
  { what: 'one disk', disks: [small], expected: '/dev/sda' },
  { what: 'none', disks: [], expected: 'disk-none' },
  { what: 'two', disks: [small, large], expected: 'disk-ambiguous' },
  { what: 'two, said explicitly', disks: [small, large], rule: 'only', expected: 'disk-ambiguous' },
  { what: 'a stick beside one disk', disks: [small, stick], expected: '/dev/sda' },
  { what: 'a boot ROM beside one disk', disks: [small, rom], expected: '/dev/sda' },
  { what: 'a read-only disk beside one', disks: [small, locked], expected: '/dev/sda' },
  { what: 'a stick alone', disks: [stick], expected: 'disk-none' },
  { what: 'a tiny disk alone', disks: [rom], expected: 'disk-too-small' },
  { what: 'a disk in use', disks: [busy], expected: 'disk-in-use' },
  { what: 'a disk in use beside a free one', disks: [busy, small], expected: 'disk-ambiguous' },
  { what: 'too small', disks: [small], needed: 30 * G, expected: 'disk-too-small' },
  { what: 'just large enough', disks: [small], needed: 20 * G, expected: '/dev/sda' },
  { what: 'a too small one beside one that fits', disks: [small, large], needed: 30 * G, expected: 'disk-ambiguous' },
  { what: 'by path', disks: [small, large], rule: '/dev/sdb', expected: '/dev/sdb' },
  { what: 'by a path that is not there', disks: [small], rule: '/dev/vda', expected: 'disk-none' },
  { what: 'by serial', disks: [small, large], rule: 'serial=b2', expected: '/dev/sdb' },
  { what: 'a stick by serial', disks: [small, stick], rule: 'serial=U4', expected: '/dev/sdc' },
  { what: 'a stick by transport', disks: [small, stick], rule: 'transport=usb', expected: '/dev/sdc' },
  { what: 'a stick by size only', disks: [small, stick], rule: 'size>=50G', expected: 'disk-none' },
  { what: 'a read-only one by serial', disks: [small, locked], rule: 'serial=R5', expected: 'disk-none' },
  { what: 'one in use by serial', disks: [small, busy], rule: 'serial=B7', expected: 'disk-in-use' },
  { what: 'by WWN without its prefix', disks: [small, large], rule: 'wwn=5002538F', expected: '/dev/sdb' },
  { what: 'by model', disks: [small, large], rule: 'model=samsung*', expected: '/dev/sdb' },
  { what: 'by a model that two have', disks: [small, large, nvme], rule: 'model=Samsung*', expected: 'disk-ambiguous' },
  {
    what: 'by two conditions',
    disks: [small, large, nvme],
    rule: 'model=Samsung*,transport=nvme',
    expected: '/dev/nvme0n1',
  },
  { what: 'the smallest', disks: [large, small], rule: 'smallest', expected: '/dev/sda' },
  { what: 'the smallest of a size', disks: [small, large, rom], rule: 'size>=100G,smallest', expected: '/dev/sdb' },
  {
    what: 'the smallest that is too small',
    disks: [small, large],
    rule: 'smallest',
    needed: 30 * G,
    expected: 'disk-too-small',
  },
  { what: 'the largest', disks: [small, large], rule: 'largest', expected: '/dev/sdb' },
  { what: 'the largest of two alike', disks: [large, nvme], rule: 'largest', expected: 'disk-ambiguous' },
  { what: 'the first', disks: [small, large], rule: 'first', expected: '/dev/sda' },
  { what: 'the first that is in use', disks: [busy, small], rule: 'first', expected: 'disk-in-use' },
  { what: 'by size from above', disks: [small, large], rule: 'size<=100G', expected: '/dev/sda' },
  { what: 'twins by path', disks: [large, twin], rule: '/dev/sdg', expected: '/dev/sdg' },
  { what: 'a rule that is none', disks: [small], rule: 'the big one', expected: 'input-invalid' },
  { what: 'a size that is none', disks: [small], rule: 'size>=big', expected: 'input-invalid' },
  { what: 'two choices', disks: [small], rule: 'smallest,largest', expected: 'input-invalid' },
  { what: 'an empty condition', disks: [small], rule: 'smallest,', expected: 'input-invalid' },
  { what: 'a model that is compared', disks: [small], rule: 'model>=a', expected: 'input-invalid' },
];

describe('chooseDisks', () => {
  const one = { least: 1, most: 1 };
  it.each(cases)('$what → $expected', ({ disks, rule, needed = 2 * G, expected }) => {
    const answer = chooseDisks({ disks, rule, needed: () => needed, machine: 'web01', reference: 'web:3' }, one);
    expect(answer.kind === 'disks' ? answer.disks.map(({ path }) => path) : answer.error.code).toEqual(
      expected.startsWith('/') ? [expected] : expected,
    );
  });

  it('names each disk and a rule that would settle it', () => {
    const answer = chooseDisks({ disks: [small, large], needed: () => G, machine: 'web01', reference: 'web:3' }, one);
    if (answer.kind !== 'refused') throw new Error('not refused');
    expect(answer.error.message).toContain('/dev/sda (20 GiB, QEMU HARDDISK, serial A1, empty)');
    expect(answer.error.hint).toBe('Say which one: imprint machine set web01 --disk serial=A1');
  });
});

describe('ruleFor', () => {
  it('takes what only this disk has', () => {
    const same = disk('/dev/sdz', G, { serial: 'A1', wwn: 'w' });
    expect(ruleFor(small, [small, same])).toBe('/dev/sda');
    expect(ruleFor(same, [small, same])).toBe('wwn=w');
    expect(ruleFor(large, [small, large])).toBe('serial=B2');
  });
});
