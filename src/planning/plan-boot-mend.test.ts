import { describe, expect, it } from 'vitest';
import { describeMendStep, type MendQuestion, planBootMend } from './plan-boot-mend.ts';

const bytes = { offset: 0, bytes: Buffer.alloc(1) };
const table = [{ what: 'the partition table, from its backup', pieces: [bytes] }];
const program = { path: 'EFI/BOOT/BOOTX64.EFI', content: Buffer.from('MZ'), whole: true };
const esp = { partition: 2, offset: 512, fresh: bytes, state: 'same', program } as const;
const bios = { core: bytes, code: bytes, whole: true };
const broken = { ...program, whole: false };

describe('mending makes anew', () => {
  it.each<[string, Omit<MendQuestion, 'size'>, string[], RegExp?]>([
    ['nothing where all is whole', { table: [], all: false, own: { bios, esp } }, []],
    [
      'the table alone, on a disk of somebody else',
      { table, all: false },
      ['make anew the partition table, from its backup'],
    ],
    [
      'nothing behind the end of a disk that was cut off',
      { table: [{ what: 'the backup of the partition table', pieces: [{ ...bytes, offset: 1 }] }], all: false },
      [],
      /ends before the place of the backup/,
    ],
    [
      'all that is broken, the code last',
      { table, all: false, own: { bios: { ...bios, whole: false }, esp: { ...esp, program: broken } } },
      [
        'make anew the partition table',
        'write EFI/BOOT/BOOTX64.EFI onto the ESP',
        'make anew GRUB’s core',
        'make anew the boot code',
      ],
    ],
    [
      'a lost ESP, whole',
      { table: [], all: false, own: { esp: { ...esp, state: 'gone' } } },
      ['make anew the ESP, partition 2, with EFI/BOOT/BOOTX64.EFI'],
    ],
    [
      'no ESP that cannot be made here',
      { table: [], all: false, own: { esp: { ...esp, fresh: undefined as never, state: 'gone' } } },
      [],
      /mkfs.vfat/,
    ],
    [
      'no file system of somebody else',
      { table: [], all: false, own: { esp: { ...esp, state: 'other' } } },
      [],
      /somebody else/,
    ],
    [
      'nothing below a mount',
      { table: [], all: false, own: { esp: { ...esp, program: broken, mounted: '/boot/efi' } } },
      [],
      /umount \/boot\/efi/,
    ],
    [
      'what looks whole, when all is asked for',
      { table: [], all: true, own: { bios, esp } },
      ['write EFI', 'make anew GRUB’s core', 'make anew the boot code'],
    ],
  ])('%s', (_, question, does, left = /^$/) => {
    const plan = planBootMend({ size: 1, ...question });
    expect(plan.steps.map(describeMendStep)).toEqual(does.map((words) => expect.stringContaining(words)));
    expect(plan.left.join()).toMatch(left);
  });
});
