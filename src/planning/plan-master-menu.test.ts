import { describe, expect, it } from 'vitest';
import type { StructurePartition } from '../machine/disk-structure.ts';
import { describeMendStep } from './plan-boot-mend.ts';
import { type MasterQuestion, planMasterMenu } from './plan-master-menu.ts';

const boot = Buffer.alloc(512);
boot.writeUInt16LE(0xaa55, 510);
const core = Buffer.alloc(40_000);
const esp: StructurePartition = { number: 1, start: 2 ** 20, size: 2 ** 26, type: 'ef' };
const biosBoot: StructurePartition = {
  number: 2,
  start: 2 ** 27,
  size: 2 ** 20,
  type: '21686148-6449-6e6f-744e-656564454649',
};
const question = (
  label: 'gpt' | 'mbr',
  partitions: StructurePartition[],
  more: Partial<MasterQuestion> = {},
): MasterQuestion => ({
  ...{ structure: { label, partitions, sectorSize: 512 }, bios: { core, boot }, uefi: Buffer.from('MZ') },
  ...{ programs: new Map([[1, []]]), mounted: new Map(), ...more },
});
const gap = { offset: 512, length: 2047 * 512 };

describe('a master menu is started', () => {
  it.each<[string, MasterQuestion, string[], RegExp?]>([
    ['from the gap', question('mbr', [], { gap }), ['core, in the gap', 'boot code'], /no ESP/],
    ['from the BIOS boot partition', question('gpt', [biosBoot]), ['BIOS boot partition 2', 'boot code'], /no ESP/],
    [
      'not from a gap that is too small',
      question('mbr', [], { gap: { offset: 512, length: 62 * 512 } }),
      [],
      /needs 40448 bytes.*there are 31744/,
    ],
    [
      'not by BIOS without a place for it',
      question('gpt', [esp]),
      ['grubx64.efi', 'BOOTX64.EFI'],
      /no BIOS boot partition/,
    ],
    [
      'by UEFI, from a directory of its own',
      question('mbr', [esp], { gap }),
      ['EFI/imprint/grubx64.efi', 'EFI/BOOT/BOOTX64.EFI', 'gap', 'boot code'],
    ],
    [
      'by UEFI beside what others have',
      question('mbr', [esp], { gap, programs: new Map([[1, ['efi/boot/bootx64.efi']]]) }),
      ['EFI/imprint/grubx64.efi', 'gap', 'boot code'],
      /stays.*efibootmgr/,
    ],
    [
      'not by an ESP that is mounted',
      question('mbr', [esp], { gap, mounted: new Map([[1, '/boot/efi']]) }),
      ['gap', 'boot code'],
      /umount \/boot\/efi/,
    ],
    [
      'not by an ESP that cannot be read',
      question('mbr', [esp], { gap, programs: new Map() }),
      ['gap', 'boot code'],
      /holds no FAT/,
    ],
  ])('%s', (_, asked, does, left = /^$/) => {
    const plan = planMasterMenu(asked);
    expect(plan.steps.map(describeMendStep)).toEqual(does.map((words) => expect.stringContaining(words)));
    expect(plan.left.join()).toMatch(left);
  });
});
