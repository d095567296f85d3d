import { describe, expect, it } from 'vitest';
import { recogniseBootCode } from './boot-code.ts';
import { classifySystems, type EfiLoader, type PartitionView, unstartable } from './found-systems.ts';

const empty = recogniseBootCode(Buffer.alloc(512));
const code = (words: string) => recogniseBootCode(Buffer.from(words.padEnd(512, '\x90'), 'latin1'));
const debian = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n';
const loader = (path: string): EfiLoader => ({ esp: 'CAFE-1234', path });

/** A partition with nothing that starts. */
function view(more: Partial<PartitionView> & { paths?: string[] } = {}): PartitionView {
  const { paths = [], ...rest } = more;
  return {
    ...{ disk: '/dev/sda', number: 3, type: '83', partitionUuid: '1234abcd-03', content: { type: 'ext4', uuid: 'r' } },
    ...{ code: empty, marked: false, there: new Set(paths), root: '', ...rest },
  };
}

/** The systems in short: `id: BIOS | UEFI`. */
const found = (views: PartitionView[], loaders: EfiLoader[] = []) =>
  classifySystems(views, loaders).map(({ id, bios, uefi }) => {
    const way = (each: typeof bios) =>
      each === undefined ? 'no' : `${each.kind}${'path' in each ? ` ${each.path}` : ''}`;
    return `${id}: ${way(bios)} | ${way(uefi)}`;
  });

describe('a partition', () => {
  it.each<[string, PartitionView, EfiLoader[], string[]]>([
    ['with nothing', view(), [], []],
    [
      'with a Linux that has GRUB for both platforms',
      view({ release: debian, paths: ['/boot/grub/grub.cfg', '/boot/grub/i386-pc/core.img'] }),
      [loader('/EFI/debian/grubx64.efi'), loader('/EFI/debian/shimx64.efi')],
      ['debian-3: core /boot/grub/i386-pc/core.img | efi /EFI/debian/shimx64.efi'],
    ],
    [
      'with a Linux whose loader is not on the ESP: its menu',
      view({ release: debian, paths: ['/boot/grub/grub.cfg'] }),
      [loader('/EFI/ubuntu/grubx64.efi')],
      ['debian-3: menu /boot/grub/grub.cfg | menu /boot/grub/grub.cfg'],
    ],
    [
      'with a Linux without GRUB: its newest kernel',
      view({ release: debian, kernel: { kernel: '/boot/vmlinuz-6.1', initrd: '/boot/initrd.img-6.1' } }),
      [],
      ['debian-3: kernel | kernel'],
    ],
    [
      'with a Linux in a subvolume',
      view({ release: 'ID="opensuse-leap"', root: '/@', paths: ['/boot/grub2/grub.cfg'] }),
      [],
      ['opensuseleap-3: menu /@/boot/grub2/grub.cfg | menu /@/boot/grub2/grub.cfg'],
    ],
    [
      'that is only a /boot',
      view({ paths: ['/grub2/grub.cfg'] }),
      [],
      ['linux-3: menu /grub2/grub.cfg | menu /grub2/grub.cfg'],
    ],
    [
      'with Windows for BIOS',
      view({ content: { type: 'ntfs' }, code: code('BOOTMGR is missing'), marked: true, paths: ['/bootmgr'] }),
      [],
      ['windows-3: record | no'],
    ],
    [
      'with Windows whose boot record was written over',
      view({ content: { type: 'ntfs' }, marked: true, paths: ['/bootmgr'] }),
      [],
      ['windows-3: ntldr /bootmgr | no'],
    ],
    [
      'with files of Windows, but no boot manager',
      view({ content: { type: 'ntfs' }, paths: ['/Windows/System32'] }),
      [],
      [],
    ],
    [
      'with a boot record of its own',
      view({ content: undefined, code: code('\xebhello'), marked: true }),
      [],
      ['record-3: record | no'],
    ],
    [
      'with a FAT, whose code nobody knows',
      view({ content: { type: 'vfat' }, code: code('\xebhello'), marked: true }),
      [],
      [],
    ],
    ['with a boot record that lacks its mark', view({ content: undefined, code: code('\xebhello') }), [], []],
    ['with what mkfs.fat writes', view({ code: code('This is not a bootable disk.'), marked: true }), [], []],
    [
      'that is an ESP with Windows',
      view({ content: { type: 'vfat', uuid: 'CAFE-1234' } }),
      [loader('/EFI/Microsoft/Boot/bootmgfw.efi')],
      ['windows-3: no | efi /EFI/Microsoft/Boot/bootmgfw.efi'],
    ],
    [
      'with a live system beside another one',
      view({ release: debian, paths: ['/boot/grub/grub.cfg', '/imprint-live/grub.cfg'] }),
      [],
      [
        'debian-3: menu /boot/grub/grub.cfg | menu /boot/grub/grub.cfg',
        'live-3: menu /imprint-live/grub.cfg | menu /imprint-live/grub.cfg',
      ],
    ],
    [
      'with memtest beside a system',
      view({ release: debian, paths: ['/boot/grub/grub.cfg', '/boot/memtest86+x64.bin', '/boot/memtest86+x64.efi'] }),
      [],
      [
        'debian-3: menu /boot/grub/grub.cfg | menu /boot/grub/grub.cfg',
        'memtest-3: memtest /boot/memtest86+x64.bin | memtest /boot/memtest86+x64.efi',
      ],
    ],
  ])('%s', (_, partition, loaders, expected) => {
    expect(found([partition], loaders)).toEqual(expected);
  });
});

describe('a machine', () => {
  it('with two systems of one distribution starts the one by its loader, the other by its menu', () => {
    const one = view({ release: debian, paths: ['/boot/grub/grub.cfg'] });
    expect(found([one, { ...one, number: 4 }], [loader('/EFI/debian/grubx64.efi')])).toEqual([
      'debian-3: menu /boot/grub/grub.cfg | efi /EFI/debian/grubx64.efi',
      'debian-4: menu /boot/grub/grub.cfg | menu /boot/grub/grub.cfg',
    ]);
  });

  it.each([
    [
      view({ content: { type: 'ntfs' }, paths: ['/Windows/System32'] }),
      /partition 3 of \/dev\/sda holds Windows, .*bcdboot C:\\Windows/,
    ],
    [view({ release: debian }), /holds Debian GNU\/Linux 12 \(bookworm\), without a kernel/],
    [view({ content: { type: 'ntfs' } }), /is active \(ntfs\), and has no boot record: no mark/],
    [view({ release: debian, paths: ['/boot/grub/grub.cfg'] }), /^$/],
  ])('names a partition that holds a system and cannot start it', (partition, words) => {
    const systems = classifySystems([partition], []);
    expect(unstartable([partition], systems, new Set(['/dev/sda 3'])).join()).toMatch(words);
  });

  it('says what is wrong, and where BitLocker will ask', () => {
    const esp = view({ number: 1, content: { type: 'vfat', uuid: 'CAFE-1234' } });
    const systems = classifySystems(
      [
        esp,
        view({ content: { type: 'BitLocker' } }),
        view({ number: 5, content: { type: 'ntfs' }, paths: ['/bootmgr'] }),
      ],
      [loader('/EFI/Microsoft/Boot/bootmgfw.efi')],
    );
    expect(systems.map(({ id, remarks }) => `${id} ${remarks.join()}`)).toEqual([
      expect.stringMatching(/^windows-5 its boot record was written over/),
      expect.stringMatching(/^windows-1 BitLocker asks/),
    ]);
  });

  it('gives each system an id of its own, also on partitions of one number', () => {
    const linux = { release: debian, paths: ['/boot/grub/grub.cfg', '/boot/memtest86+x64.bin'] };
    const disks = ['/dev/sda', '/dev/sdb', '/dev/sdc'];
    const systems = classifySystems(
      disks.map((disk) => view({ ...linux, disk })),
      [],
    );
    expect(systems.map(({ disk, id }) => `${disk} ${id}`)).toEqual([
      ...['/dev/sda debian-3', '/dev/sda memtest-3', '/dev/sdb debian-3-2'],
      ...['/dev/sdb memtest-3-2', '/dev/sdc debian-3-3', '/dev/sdc memtest-3-3'],
    ]);
  });

  it('takes nothing into a title that would steer a terminal', () => {
    const release = 'PRETTY_NAME="Debian \u001b[2J12"\nID=debian\n';
    const content = { type: 'ext4', uuid: 'r', label: 'a\nb' };
    const paths = ['/grub/grub.cfg'];
    const titles = classifySystems([view({ release, paths }), view({ content, paths })], []).map(({ title }) => title);
    expect(titles).toEqual(['Debian \ufffd[2J12', 'Linux on partition 3 (a\ufffdb)']);
  });
});
