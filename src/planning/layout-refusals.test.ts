import { expect, it } from 'vitest';
import {
  answer,
  array,
  bunch,
  disk,
  G,
  type Given,
  kept,
  mirror,
  one,
  root,
  shared,
  stacked,
  there,
  windows,
} from '../../tests/solved-layout.ts';

const refused: [what: string, given: Given, code: string, said: RegExp][] = [
  ['no disk', { layout: one(root), disks: [] }, 'disk-none', /it has no disk/],
  [
    'two disks for one',
    { layout: one(root), disks: [disk('/dev/sda', 20 * G), disk('/dev/sdb', 20 * G)] },
    'disk-ambiguous',
    /2 disks/,
  ],
  [
    'two disks of one size',
    { layout: one(root, ', match: smallest'), disks: [disk('/dev/sda', 20 * G), disk('/dev/sdb', 20 * G)] },
    'disk-ambiguous',
    /2 disks/,
  ],
  [
    'three for two',
    { layout: mirror('2').replace('smallest', 'only'), disks: [1, 2, 3].map((n) => disk(`/dev/sd${n}`, 20 * G)) },
    'disk-ambiguous',
    /3 disks/,
  ],
  [
    'one for two',
    { layout: mirror('2'), disks: [disk('/dev/sda', 20 * G)] },
    'disk-none',
    /only \/dev\/sda.* of the 2/,
  ],
  [
    'a mounted disk',
    { layout: one(root), disks: [disk('/dev/sda', 20 * G, { inUse: ['/dev/sda1 mounted on /'] })] },
    'disk-in-use',
    /mounted on \//,
  ],
  [
    'one of two in use',
    {
      layout: mirror('2'),
      disks: [disk('/dev/sda', 20 * G), disk('/dev/sdb', 20 * G, { inUse: ['part of raid1 md0'] })],
    },
    'disk-in-use',
    /sdb/,
  ],
  [
    'a removable disk',
    { layout: one(root), disks: [disk('/dev/sda', 20 * G, { removable: true })] },
    'disk-none',
    /removable/,
  ],
  ['too small a disk', { layout: one(root), disks: [disk('/dev/sda', 4 * G)] }, 'disk-too-small', /needs at least/],
  [
    'too small for the version',
    { layout: one('{ name: root, role: root }'), disks: [disk('/dev/sda', 8 * G)], needs: { system: 8 * G } },
    'disk-too-small',
    /8\.75 GiB/,
  ],
  [
    'too small for what is above',
    { layout: stacked, disks: [disk('/dev/sda', 10 * G), disk('/dev/sdb', 10 * G)] },
    'disk-too-small',
    /needs at least/,
  ],
  [
    'too small a group',
    {
      layout: `${one('{ name: p, max: 20G }, { name: q, max: 20G }')}\nvolumeGroups: [{ name: v, physicalVolumes: [p, q], volumes: [{ name: r, role: root, min: 60G }] }]`,
      disks: [disk('/dev/sda', 100 * G)],
    },
    'layout-unsolvable',
    /volume group v has 40 GiB.* need 60 GiB/,
  ],
  [
    'a size below what the version needs',
    {
      layout: one('{ name: root, role: root, size: 4G }'),
      disks: [disk('/dev/sda', 20 * G)],
      needs: { system: 5 * G },
    },
    'layout-unsolvable',
    /root has a size of 4 GiB, and web:3 needs 5 GiB/,
  ],
  [
    'a maximum below it',
    { layout: one('{ name: root, role: root, max: 4G }'), disks: [disk('/dev/sda', 20 * G)], needs: { system: 5 * G } },
    'layout-unsolvable',
    /max of 4 GiB/,
  ],
  [
    'Windows in the way',
    { layout: one(root), disks: [there('gpt', '/dev/sda', 42 * G, ...windows)] },
    'disk-holds-data',
    /Windows \(ntfs “OS”\), 39\.1 GiB.*needed beside it/,
  ],
  [
    'an old Linux and no order',
    { layout: one(root), disks: [there('gpt', '/dev/sda', 20 * G, '1 linux 1+20478 ext4 old')] },
    'disk-holds-data',
    /ext4 “old”/,
  ],
  [
    'LUKS and no order',
    { layout: one(root, ', erase: [linux]'), disks: [there('gpt', '/dev/sda', 20 * G, '1 linux 1+20478 crypto_LUKS')] },
    'disk-holds-data',
    /LUKS/,
  ],
  [
    'a RAID member and no order',
    {
      layout: one(root, ', erase: [linux]'),
      disks: [there('gpt', '/dev/sda', 20 * G, '1 linux 1+20478 linux_raid_member')],
    },
    'disk-holds-data',
    /RAID member/,
  ],
  [
    'what nobody knows',
    {
      layout: one(root, ', erase: [linux]'),
      disks: [there('gpt', '/dev/sda', 20 * G, '1 ABCDEF00-0000-4000-8000-000000000000 1+20478')],
    },
    'disk-holds-data',
    /type ABCDEF00/,
  ],
  [
    'LVM on the whole disk',
    { layout: one(root, ', erase: [linux]'), disks: [disk('/dev/sda', 20 * G, { whole: { type: 'LVM2_member' } })] },
    'disk-holds-data',
    /LVM2_member on the whole disk/,
  ],
  [
    'a file system on the whole disk',
    { layout: one(root), disks: [disk('/dev/sda', 20 * G, { whole: { type: 'xfs' } })] },
    'disk-holds-data',
    /xfs on the whole disk/,
  ],
  [
    'facts of an older agent',
    {
      layout: one(root, ', erase: [linux]'),
      disks: [(({ partitions: _none, ...facts }) => facts)(disk('/dev/sda', 20 * G, { content: 'gpt: 2 partitions' }))],
    },
    'disk-holds-data',
    /gpt: 2 partitions/,
  ],
  [
    'another kind of table',
    {
      layout: one(root, ', erase: [linux]'),
      disks: [disk('/dev/sda', 20 * G, { table: { type: 'other' }, content: 'sun: 3 partitions' })],
    },
    'disk-holds-data',
    /sun/,
  ],
  [
    'an MBR that must stay where the layout wants GPT',
    { layout: one(root, ', table: gpt'), disks: [there('mbr', '/dev/sda', 60 * G, '1 07 1+20000 ntfs')] },
    'layout-unsolvable',
    /kind mbr, which must stay with \/dev\/sda1/,
  ],
  [
    'a full MBR',
    {
      layout: one(root),
      disks: [there('mbr', '/dev/sda', 90 * G, ...[1, 2, 3, 4].map((n) => `${n} 07 ${n * 10000}+9000 ntfs`))],
    },
    'layout-unsolvable',
    /no free entry/,
  ],
  [
    'half a volume group',
    { layout: one(root, ', match: smallest, erase: [linux, lvm]'), disks: shared() },
    'disk-shared',
    /\/dev\/sda1.* volume group vgdata, which also lies on \/dev\/sdb1/,
  ],
  [
    'half a volume group, all of it',
    { layout: one(root, ', match: smallest, erase: all'), disks: shared() },
    'disk-shared',
    /vgdata/,
  ],
  [
    'kept data that is there twice',
    {
      layout: one(`${root}, ${kept}`, ', erase: [linux]'),
      disks: [there('gpt', '/dev/sda', 90 * G, '1 linux 1+20000 xfs data', '2 linux 20001+20000 xfs data')],
    },
    'layout-unsolvable',
    /\/dev\/sda1 and \/dev\/sda2 could both be data/,
  ],
  [
    'kept data of another kind',
    {
      layout: one(`${root}, ${kept}`, ', erase: [linux]'),
      disks: [there('gpt', '/dev/sda', 90 * G, '1 linux 1+20000 ext4 data')],
    },
    'layout-unsolvable',
    /kept as xfs, and \/dev\/sda1 holds ext4/,
  ],
  [
    'kept data that is too small',
    {
      layout: one(`${root}, ${kept}`, ', erase: [linux]'),
      disks: [there('gpt', '/dev/sda', 90 * G, '1 linux 1+1000 xfs data')],
    },
    'layout-unsolvable',
    /needs 2 GiB, but \/dev\/sda1 has 1000 MiB/,
  ],
  [
    'kept data under another name',
    {
      layout: one(`${root}, ${kept}`, ', erase: [linux]'),
      disks: [there('gpt', '/dev/sda', 90 * G, '1 linux 1+20000 xfs DATA_2019')],
    },
    'layout-unsolvable',
    /nothing on \/dev\/sda is called “data”, and \/dev\/sda1 \(xfs “DATA_2019”/,
  ],
  [
    'kept data that fills the disk',
    {
      layout: one(`${root}, ${kept}`, ', erase: [linux]'),
      disks: [there('gpt', '/dev/sda', 20 * G, '1 linux 1+20000 xfs data')],
    },
    'disk-holds-data',
    /xfs “data”/,
  ],
  [
    'a BIOS with sectors of 4 KiB',
    { layout: one(root), disks: [disk('/dev/sda', 20 * G, { sectorSize: 4096 })], firmware: 'bios' },
    'image-unfit',
    /4096 bytes/,
  ],
  [
    'a BIOS without a place for GRUB',
    {
      layout: one(root).replace('{ name: bios, role: bios-boot }, ', ''),
      disks: [disk('/dev/sda', 20 * G)],
      firmware: 'bios',
    },
    'layout-unsolvable',
    /no partition of the role bios-boot/,
  ],
  [
    'UEFI without its partition',
    { layout: one(root).replace('{ name: esp, role: esp }, ', ''), disks: [disk('/dev/sda', 20 * G)] },
    'layout-unsolvable',
    /role esp/,
  ],
  [
    'a BIOS and an old partition in front',
    {
      layout: one(root),
      disks: [
        (() => {
          const facts = there('mbr', '/dev/sda', 60 * G, '1 07 1+20000 ntfs');
          Object.assign(facts.partitions?.[0] ?? {}, { start: 63 * 512 });
          return facts;
        })(),
      ],
      firmware: 'bios',
    },
    'layout-unsolvable',
    /begins at 31\.5 KiB/,
  ],
  [
    'too few members',
    { layout: array(5, '2-4'), disks: bunch(100, 100) },
    'layout-unsolvable',
    /RAID 5 pool needs 3 members, and there are 2/,
  ],
  [
    'an EFI system partition that is too small for its sectors',
    {
      layout: one(root).replace('role: esp }', 'role: esp, size: 64M }'),
      disks: [disk('/dev/sda', 20 * G, { sectorSize: 4096 })],
    },
    'layout-unsolvable',
    /esp has a size of 64 MiB.*260 MiB/,
  ],
  [
    'a rule that only the machine contradicts',
    { layout: one(root, ', match: serial=NONE'), disks: [disk('/dev/sda', 20 * G)] },
    'disk-none',
    /is not serial=NONE/,
  ],
];

it.each(refused)('refuses %s', (_what, given, code, said) => {
  const found = answer(given);
  expect(found.kind === 'refused' && `${found.error.code}: ${found.error.message}`).toMatch(
    new RegExp(`^${code}: .*${said.source}`),
  );
});
