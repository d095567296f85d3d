import { expect, it } from 'vitest';
import { data, disk, G, type Given, kept, one, root, tables, there } from '../../tests/solved-layout.ts';

const solved: [what: string, given: Given, expected: string[]][] = [
  [
    'an MBR',
    { layout: one(root, ', table: mbr'), disks: [disk('/dev/sda', 20 * G)], firmware: 'bios' },
    ['/dev/sda mbr 1:esp@1+512 2:*boot@513+512 3:root@1025+19455'],
  ],
  [
    'an MBR with four partitions',
    { layout: one(`${root}, { name: swap, role: swap, size: 1G }`, ', table: mbr'), disks: [disk('/dev/sda', 20 * G)] },
    ['/dev/sda mbr 1:esp@1+512 2:*boot@513+512 3:root@1025+18431 4:swap@19456+1024'],
  ],
  [
    'an MBR with logical partitions',
    {
      layout: one(`${root}, { name: swap, role: swap, size: 1G }, ${data}`, ', table: mbr'),
      disks: [disk('/dev/sda', 100 * G)],
    },
    [
      '/dev/sda mbr 1:esp@1+512 2:*boot@513+512 3:root@1025+25087 4:~extended@26112+76288 5:swap@26113+1024 6:data@27138+75261',
    ],
  ],
  [
    'an MBR with Windows, whose entry it takes',
    {
      layout: one(`${root}, { name: swap, role: swap, size: 1G }`),
      disks: [there('mbr', '/dev/sda', 100 * G, '1 07 1+40000 ntfs')],
    },
    [
      '/dev/sda mbr kept 1:=other@1+40000 2:esp@40001+512 3:*boot@40513+512 4:~extended@41025+61375 5:root@41026+60349 6:swap@101376+1024',
    ],
  ],
  [
    'an MBR whose extended partition stays for a logical one',
    {
      layout: one(`${root}, ${kept}`, ', erase: [linux]'),
      disks: [
        there(
          'mbr',
          '/dev/sda',
          100 * G,
          '1 83 1+20000 ext4',
          '2 05 20001+82398',
          '5 83 20002+1000 ext4',
          '6 83 21003+50000 xfs data',
        ),
      ],
    },
    ['/dev/sda mbr kept 1:esp@1+512 3:*boot@513+512 4:root@1025+18976 2:=~extended@20001+82398 5:=data@21003+50000'],
  ],
  [
    'an MBR whose room is within',
    {
      layout: one(`${root}, ${data}`, ', erase: [linux]'),
      disks: [there('mbr', '/dev/sda', 100 * G, '1 07 1+40000 ntfs', '2 0f 40001+62398', '5 07 40002+10000 ntfs')],
    },
    [
      '/dev/sda mbr kept 1:=other@1+40000 2:=~extended@40001+62398 5:=other@40002+10000 6:esp@50003+512 7:boot@50516+512 8:root@51029+12842 9:data@63872+38526',
    ],
  ],
  [
    'an MBR of more than 2 TiB',
    { layout: one(root, ', table: mbr'), disks: [disk('/dev/sda', 3000 * G)] },
    ['/dev/sda mbr 1:esp@1+512 2:*boot@513+512 3:root@1025+2096127'],
  ],
];

it.each(solved)('lays out %s', (_what, given, expected) => {
  expect(tables(given)).toEqual(expected);
});
