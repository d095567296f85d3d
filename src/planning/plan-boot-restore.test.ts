import { describe, expect, it } from 'vitest';
import type { BootArea, BootCopy, BootPart } from '../contract/boot-copy.ts';
import type { BootFacts, VolumeFacts } from './boot-facts.ts';
import { describeRestoreStep, planBootRestore } from './plan-boot-restore.ts';

const hash = 'a'.repeat(64);
const mebibyte = 2 ** 20;
const root = {
  number: 3,
  start: 64 * mebibyte,
  size: 900 * mebibyte,
  type: '0fc63daf',
  content: { type: 'ext4', uuid: 'r' },
};
const esp = {
  number: 1,
  start: mebibyte,
  size: 60 * mebibyte,
  type: 'esp',
  content: { type: 'vfat', uuid: 'CAFE-1234' },
};
const bios = { number: 2, start: 62 * mebibyte, size: mebibyte, type: 'bios-boot' };
const table: BootCopy['table'] = { label: 'gpt', id: 'disk', hash, partitions: [esp, bios, root] };
const area = (part: BootArea['part'], name: string, offset: number, length: number): BootArea => {
  return { part, name, offset, length, sha256: hash, file: `disk/${name}.bin` };
};
const code = area('code', 'boot-code', 0, 440);
const gap = area('gap', 'gap', 17_408, mebibyte - 17_408);
const core = area('bios-boot', 'partition-2', bios.start, bios.size);
const record = area('table', 'record', 440, 72);
const copy: BootCopy = {
  imprint: 'boot-copy',
  format: 1,
  created: '2026-11-21T18:00:00.000Z',
  machine: { name: 'web01', uuid: 'machine', firmware: 'uefi' },
  disk: { path: '/dev/sda', size: 1000 * mebibyte, sectorSize: 512, serial: 'S1' },
  table,
  areas: [core, gap, record, code],
  volumes: [
    {
      ...{ partition: 1, offset: esp.start, size: esp.size, volumeId: 'CAFE1234', label: 'EFI' },
      ...{ files: [], directories: [], own: { runs: [], sha256: hash, file: 'esp-1/tables.bin' } },
    },
  ],
  variables: [{ name: 'Boot0001', size: 10, sha256: hash, file: 'variables/Boot0001' }],
  environments: [],
  problems: [],
};
const there: VolumeFacts = { partition: 1, state: 'there', missing: [], changed: [], added: [] };

/** A disk as the copy has it; `broken` names the areas that differ. */
function facts(broken: readonly string[] = [], more: Partial<BootFacts> = {}): BootFacts {
  return {
    disk: { ...copy.disk, path: '/dev/sdb' },
    table,
    problems: broken.includes('record') ? ['damaged'] : [],
    areas: copy.areas.map((each) => (broken.includes(each.name) ? { area: each, differs: 'differs' } : { area: each })),
    volumes: [there],
    places: [
      { number: 1, holds: 'same', was: 'vfat', now: 'vfat' },
      { number: 3, holds: 'same', was: 'ext4 r', now: 'ext4 r' },
    ],
    kernel: [],
    machine: { uuid: 'machine' },
    variables: { missing: [], changed: [] },
    ...more,
  };
}
const absent: BootFacts['table'] = { label: 'none', hash: 'b'.repeat(64), partitions: [] };
const disk = (changes: Partial<BootFacts['disk']>) => ({ disk: { ...copy.disk, path: '/dev/sdb', ...changes } });
const changed = (partitions: BootCopy['table']['partitions'], id = 'disk') =>
  ({ table: { label: 'gpt', id, hash: 'c'.repeat(64), partitions } }) as const;
const nameless = { disk: { path: '/dev/vda', size: copy.disk.size, sectorSize: 512 } };
const all = ['partition-2', 'gap', 'record', 'boot-code'];

interface Case {
  says: string;
  facts: BootFacts;
  copy?: BootCopy;
  parts?: BootPart[];
  force?: boolean;
  /** Steps in short, in their order. */
  does?: string[];
  left?: RegExp;
  /** Code and message. */
  refuses?: RegExp;
}

const cases: Case[] = [
  { says: 'nothing where nothing differs', facts: facts(), does: [] },
  {
    says: 'what is pointed to first, the first sector last',
    facts: facts(all),
    does: ['partition-2', 'gap', 'record', 'boot-code'],
  },
  { says: 'only the parts that were named', facts: facts(all), parts: ['code'], does: ['boot-code'] },
  {
    says: 'no table that is whole and says the same in other bytes',
    facts: facts(all, { problems: [] }),
    ...{ does: ['partition-2', 'gap', 'boot-code'], left: /says the same in other bytes/ },
  },
  {
    says: 'a table of which some rows are lost, and none is other',
    facts: facts(['record'], { ...changed([esp, bios]), problems: ['the logical partitions are cut short'] }),
    does: ['record'],
  },
  {
    says: 'no table of which rows are lost, and another is new',
    facts: facts(['record'], { ...changed([esp, { ...root, number: 4 }]), problems: ['cut short'] }),
    ...{ does: [], left: /partition 2 is gone; partition 3 is gone; partition 4 is new/ },
  },
  {
    says: 'a lost table, where the file systems still lie as they did',
    facts: facts(all, { table: absent }),
    does: all,
  },
  {
    says: 'no lost table over a file system of later',
    facts: facts(all, { table: absent, places: [{ number: 3, holds: 'other', was: 'ext4 r', now: 'xfs n' }] }),
    left: /where partition 3 had ext4 r, there is xfs n/,
  },
  {
    says: 'such a table by name and by force',
    facts: facts(['record'], { table: absent, places: [{ number: 3, holds: 'other', was: 'ext4 r', now: 'xfs n' }] }),
    ...{ parts: ['table'], force: true, does: ['record'] },
  },
  {
    says: 'no table that is whole, though it is another',
    facts: facts(all, changed([esp, bios, { ...root, size: 1 }])),
    ...{ does: ['partition-2', 'gap', 'boot-code'], left: /partition 3 was larger/ },
  },
  { says: 'such a table by name', facts: facts(['record'], changed([esp, bios])), parts: ['table'], does: ['record'] },
  {
    says: 'nothing into a BIOS boot partition that is elsewhere now',
    facts: facts(all, changed([esp, { ...bios, start: bios.start + 512 }, root])),
    ...{ does: ['gap', 'boot-code'], left: /BIOS boot partition 2 is not where it was/ },
  },
  {
    says: 'nothing into a gap that is part of a partition now',
    facts: facts(['gap'], changed([{ ...esp, start: 32_768 }])),
    ...{ parts: ['gap'], refuses: /^boot-restore-refused.*reaches into partition 1/ },
  },
  {
    says: 'nothing to a disk with another serial number',
    facts: facts(all, disk({ serial: 'S2' })),
    refuses: /^boot-copy-foreign.*serial S1.*serial S2/,
  },
  {
    says: 'all to a clone, by force',
    facts: facts(['boot-code'], disk({ serial: 'S2' })),
    force: true,
    does: ['boot-code'],
  },
  {
    says: 'nothing to a disk without a serial number that has another table',
    facts: facts(all, { ...nameless, ...changed([esp, root], 'new') }),
    refuses: /^boot-copy-foreign.*no serial number says/,
  },
  {
    says: 'its old table to a named disk without a serial number that was installed since, by force',
    facts: facts(['record'], { ...nameless, ...changed([esp, root], 'new') }),
    ...{ parts: ['table'], force: true, does: ['record'] },
  },
  {
    says: 'nothing to another disk without a table, even by force',
    facts: facts(all, {
      ...disk({ serial: 'S2' }),
      table: absent,
      places: [{ number: 3, holds: 'nothing', was: 'ext4 r', now: 'nothing' }],
    }),
    ...{ force: true, refuses: /^boot-copy-foreign.*none of the 1 file systems/ },
  },
  {
    says: 'nothing to a disk of another size that has no serial number',
    facts: facts(all, { disk: { path: 'disk.img', size: 5, sectorSize: 512 }, table: absent }),
    refuses: /^boot-copy-foreign.*of 1048576000 bytes; disk.img has 5/,
  },
  {
    says: 'nothing to a disk with sectors of another size',
    facts: facts(all, disk({ sectorSize: 4096 })),
    refuses: /^boot-copy-foreign.*sectors of 512 bytes/,
  },
  {
    says: 'all but the table to a disk that has grown',
    facts: facts(all, disk({ size: 2000 * mebibyte })),
    ...{ does: ['partition-2', 'gap', 'boot-code'], left: /had another size/ },
  },
  {
    says: 'a file system that is gone, whole',
    facts: facts([], { volumes: [{ partition: 1, state: 'gone' }], places: [] }),
    does: ['rebuild 1'],
  },
  {
    says: 'nothing over another file system in place of the ESP',
    facts: facts([], { volumes: [{ partition: 1, state: 'other', volumeId: 'BEEF0001', label: '', files: 3 }] }),
    ...{ does: [], left: /BEEF0001, 3 files.*stays/ },
  },
  {
    says: 'such a one by name',
    facts: facts([], { volumes: [{ partition: 1, state: 'other', volumeId: 'BEEF0001', label: '', files: 3 }] }),
    ...{ parts: ['esp'], does: ['rebuild 1'] },
  },
  {
    says: 'nothing over what is no FAT in place of the ESP',
    facts: facts([], {
      volumes: [{ partition: 1, state: 'gone' }],
      places: [{ number: 1, holds: 'other', was: 'vfat', now: 'xfs' }],
    }),
    ...{ does: [], left: /holds xfs now, which stays/ },
  },
  {
    says: 'lost and changed files, but none that Windows changed',
    facts: facts([], {
      volumes: [{ ...there, missing: ['EFI/Microsoft/Boot/b'], changed: ['EFI/debian/g', 'EFI/MICROSOFT/Boot/BCD'] }],
    }),
    ...{ does: ['files EFI/Microsoft/Boot/b EFI/debian/g'], left: /1 file below EFI\/Microsoft changed/ },
  },
  {
    says: 'nothing to an ESP that is mounted',
    facts: facts([], {
      volumes: [{ ...there, missing: ['x'] }],
      kernel: [{ number: 1, device: '/dev/sdb1', start: esp.start, size: esp.size, mountPoints: ['/boot/efi'] }],
    }),
    refuses: /^boot-restore-refused.*mounted on \/boot\/efi.*umount \/boot\/efi/,
  },
  {
    says: 'the very table that the kernel uses, while it is mounted',
    facts: facts(['record'], {
      table: absent,
      kernel: [{ number: 3, device: '/dev/sdb3', start: root.start, size: root.size, mountPoints: ['/'] }],
    }),
    does: ['record'],
  },
  {
    says: 'no table that would take a mounted partition away',
    facts: facts(['record'], {
      ...changed([root]),
      kernel: [{ number: 4, device: '/dev/sdb4', start: 1, size: 1, mountPoints: ['/data'] }],
    }),
    ...{ parts: ['table'], refuses: /^boot-restore-refused.*\/dev\/sdb4 is mounted on \/data/ },
  },
  {
    says: 'lost boot variables',
    facts: facts([], { variables: { missing: ['Boot0001'], changed: [] } }),
    does: ['variables Boot0001'],
  },
  {
    says: 'no boot variables of another machine',
    facts: facts([], { machine: { uuid: 'another' }, variables: { missing: ['Boot0001'], changed: [] } }),
    ...{ does: [], left: /another machine/ },
  },
  {
    says: 'nothing to a disk that only looks like one that was broken',
    facts: facts(all, { disk: { path: 'disk.img', size: 1000 * mebibyte, sectorSize: 512 } }),
    ...{ copy: { ...copy, disk: { ...copy.disk, serial: undefined }, table: { ...absent, partitions: [] } } },
    refuses: /^boot-copy-foreign.*had no partition table/,
  },
  { says: 'a part that the copy lacks', facts: facts(), parts: ['esp'], does: [] },
];

describe('restoring a safety copy writes', () => {
  it.each(cases)('$says', ({ facts: now, copy: given = copy, parts, force = false, does, left, refuses }) => {
    const answer = planBootRestore({ copy: given, file: 'c.tar.gz', force, ...(parts && { parts }) }, now);
    if (answer.kind === 'refused') {
      const { code, message, hint } = answer.error;
      expect(`${code}: ${message} ${hint}`).toMatch(refuses ?? /^never$/);
      return;
    }
    expect(refuses).toBeUndefined();
    if (does !== undefined) expect(answer.steps.map(short)).toEqual(does);
    expect(answer.left.join(' ')).toMatch(left ?? /^$/);
    for (const step of answer.steps) expect(describeRestoreStep(step).length).toBeGreaterThan(10);
  });

  it('nothing where the copy lacks what was named', () => {
    const poor = { ...copy, variables: [] };
    const answer = planBootRestore({ copy: poor, file: 'c', force: false, parts: ['variables'] }, facts());
    expect(answer.kind === 'refused' && answer.error.message).toMatch(/the copy holds no variables/);
  });
});

function short(step: Parameters<typeof describeRestoreStep>[0]): string {
  switch (step.kind) {
    case 'write-area':
      return step.area.name;
    case 'rebuild-volume':
      return `rebuild ${step.volume.partition}`;
    case 'write-files':
      return `files ${step.paths.join(' ')}`;
    case 'write-variables':
      return `variables ${step.names.join(' ')}`;
  }
}
