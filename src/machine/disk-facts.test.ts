import { expect, it } from 'vitest';
import { parseDisks } from './disk-facts.ts';

const disk = {
  name: 'sda',
  kname: 'sda',
  path: '/dev/sda',
  type: 'disk',
  size: 21474836480,
  'log-sec': 512,
  model: 'QEMU HARDDISK   ',
  serial: null,
  tran: 'sata',
  rota: true,
  rm: false,
  ro: false,
  pttype: 'gpt',
};
const part = (name: string, more: object = {}) => ({
  name,
  kname: name,
  path: `/dev/${name}`,
  type: 'part',
  size: 1000,
  ...more,
});
const parse = (blockdevices: object[], more: object = {}) =>
  parseDisks({ lsblk: JSON.stringify({ blockdevices }), ...more });

it('tells what a disk is and holds', () => {
  const children = [part('sda1', { fstype: 'vfat' }), part('sda2', { fstype: 'ext4' }), part('sda3')];
  expect(parse([{ ...disk, children }], { sysfs: { sda: { serial: 'S1' } } })).toEqual([
    {
      path: '/dev/sda',
      size: 21474836480,
      sectorSize: 512,
      model: 'QEMU HARDDISK',
      serial: 'S1',
      transport: 'sata',
      rotational: true,
      removable: false,
      readOnly: false,
      content: 'gpt: 3 partitions (vfat, ext4, unknown)',
      inUse: [],
    },
  ]);
  expect(parse([{ ...disk, pttype: null }])[0]?.content).toBe('empty');
  expect(parse([{ ...disk, pttype: null, fstype: 'LVM2_member' }])[0]?.content).toBe('LVM2_member');
  expect(parse([disk])[0]?.content).toBe('gpt: no partitions');
});

it.each([
  ['a mounted partition', [part('sda1', { mountpoints: ['/mnt', null] })], ['/dev/sda1 mounted on /mnt']],
  ['an older lsblk', [part('sda1', { mountpoint: '/mnt' })], ['/dev/sda1 mounted on /mnt']],
  ['swap', [part('sda1', { mountpoints: ['[SWAP]'] })], ['/dev/sda1 used as swap']],
  [
    'LVM',
    [
      part('sda2', {
        children: [{ name: 'vg-root', kname: 'dm-0', path: '/dev/mapper/vg-root', type: 'lvm', mountpoints: ['/'] }],
      }),
    ],
    ['/dev/sda2 part of lvm vg-root', '/dev/mapper/vg-root mounted on /'],
  ],
  [
    'RAID',
    [part('sda1', { children: [{ name: 'md0', kname: 'md0', type: 'raid1' }] })],
    ['/dev/sda1 part of raid1 md0'],
  ],
])('sees what uses it: %s', (_what, children, expected) => {
  expect(parse([{ ...disk, children }])[0]?.inUse).toEqual(expected);
});

it('sees swap that lsblk does not show', () => {
  const swaps = 'Filename Type Size Used Priority\n/dev/sda1 partition 1 0 -2\n';
  expect(parse([{ ...disk, children: [part('sda1')] }], { swaps })[0]?.inUse).toEqual(['/dev/sda1 used as swap']);
});

it('leaves out what is no disk, and sorts by name', () => {
  const found = parse([
    { ...disk, name: 'nvme0n10', kname: 'nvme0n10', path: '/dev/nvme0n10' },
    { ...disk, name: 'nvme0n2', kname: 'nvme0n2', path: '/dev/nvme0n2' },
    { ...disk, name: 'sr0', kname: 'sr0', path: '/dev/sr0', type: 'rom' },
    { ...disk, name: 'loop0', kname: 'loop0', path: '/dev/loop0', type: 'loop' },
    { ...disk, name: 'zram0', kname: 'zram0', path: '/dev/zram0' },
    { ...disk, name: 'mmcblk0boot0', kname: 'mmcblk0boot0', path: '/dev/mmcblk0boot0' },
    { ...disk, name: 'sdb', kname: 'sdb', path: '/dev/sdb', size: 0 },
  ]);
  expect(found.map(({ path }) => path)).toEqual(['/dev/nvme0n2', '/dev/nvme0n10']);
});

it('takes what older and newer lsblk print for numbers and flags', () => {
  const found = parse([{ ...disk, size: '21474836480', rm: '1', ro: '0', 'log-sec': '4096' }]);
  expect(found[0]).toMatchObject({ size: 21474836480, removable: true, readOnly: false, sectorSize: 4096 });
});

it('refuses what is not lsblk’s', () => {
  expect(() => parseDisks({ lsblk: '{}' })).toThrow();
  expect(() => parseDisks({ lsblk: 'no' })).toThrow(SyntaxError);
  expect(() => parse([{ ...disk, path: '/etc/passwd' }])).toThrow(SyntaxError);
});
