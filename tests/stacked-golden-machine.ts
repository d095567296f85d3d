import type { Device, GoldenAnswers } from './golden-machine.ts';

/** Types of GPT partitions. */
export const types = {
  esp: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
  bios: '21686148-6449-6E6F-744E-656564454649',
  msr: 'E3C9E316-0B5C-4DB8-817D-F92DF00215AE',
  basic: 'EBD0A0A2-B9E5-4433-87C0-68B6B72699C7',
};

const root: Device = { name: 'vg0-root', type: 'lvm', mib: 40_960, fs: 'ext4', uuid: 'u-root', mount: '/' };
const inside: Device[] = [
  root,
  { name: 'vg0-var--log', type: 'lvm', mib: 10_240, fs: 'xfs', uuid: 'u-log', mount: '/var/log' },
  { name: 'vg0-swap', type: 'lvm', mib: 8_192, fs: 'swap', uuid: 'u-swap', mount: '[SWAP]' },
];
const secret: Device = { name: 'cryptsys', type: 'crypt', mib: 204_000, fs: 'LVM2_member', children: inside };
const md1: Device = {
  name: 'md1',
  type: 'raid1',
  mib: 204_016,
  fs: 'crypto_LUKS',
  version: '2',
  uuid: 'u-luks',
  children: [secret],
};
const md0: Device = { name: 'md0', type: 'raid1', mib: 1_022, fs: 'ext4', uuid: 'u-boot', mount: '/boot' };
const half = (disk: string, transport: string): Device => ({
  ...{ name: disk, type: 'disk', mib: 488_386, transport },
  children: [
    {
      name: `${disk}1`,
      type: 'part',
      mib: 512,
      fs: 'vfat',
      uuid: 'A1B2-C3D4',
      partType: types.esp,
      ...(disk === 'sda' ? { mount: '/boot/efi' } : {}),
    },
    { name: `${disk}2`, type: 'part', mib: 1_024, fs: 'linux_raid_member', uuid: 'a0', children: [md0] },
    { name: `${disk}3`, type: 'part', mib: 204_151, fs: 'linux_raid_member', uuid: 'a1', children: [md1] },
    { name: `${disk}4`, type: 'part', mib: 16, partType: types.msr },
    { name: `${disk}5`, type: 'part', mib: 200_000, fs: 'ntfs', label: 'OS', partType: types.basic },
  ],
});
/** A mirror of two disks, encrypted, a volume group in it; /boot and the ESP mirrored; Windows beside; data on a third disk. */
export const stackedGolden: GoldenAnswers = {
  devices: [
    half('sda', 'sata'),
    half('sdb', 'sata'),
    {
      ...{ name: 'nvme0n1', type: 'disk', mib: 953_869, transport: 'nvme' },
      children: [
        { name: 'nvme0n1p1', type: 'part', mib: 953_867, fs: 'xfs', label: 'data', uuid: 'u-data', mount: '/data' },
      ],
    },
    {
      name: 'sdc',
      type: 'disk',
      mib: 30_000,
      removable: true,
      children: [{ name: 'sdc1', type: 'part', mib: 29_000, fs: 'vfat' }],
    },
  ],
  fstab: `# /etc/fstab
/dev/mapper/vg0-root / ext4 noatime,errors=remount-ro 0 1
UUID=u-boot /boot ext4 defaults 0 2
UUID=A1B2-C3D4 /boot/efi vfat umask=0077 0 1
/dev/vg0/var-log /var/log xfs defaults,nodev 0 2
LABEL=data /data xfs defaults,nofail 0 2
/dev/mapper/vg0-swap none swap sw 0 0
/swapfile none swap sw 0 0
tmpfs /tmp tmpfs defaults 0 0
server:/export /mnt/nfs nfs defaults 0 0
`,
  crypttab: 'cryptsys UUID=u-luks none luks,discard\n',
  md: `md md0 raid1 2 1.0 0
member md0 sda2 in_sync
member md0 sdb2 in_sync
md md1 raid1 2 1.2 0
member md1 sda3 in_sync
member md1 sdb3 in_sync,write_mostly
title system md1`,
  lvm: `  {
      "report": [
          {
              "vg": [
                  {"vg_name":"vg0", "vg_extent_size":"4194304", "vg_size":"213909504000", "vg_free":"151632478208"}
              ]
          }
      ]
  }
  {
      "report": [
          {
              "lv": [
                  {"vg_name":"vg0", "lv_name":"root", "lv_size":"42949672960", "segtype":"linear", "pool_lv":""},
                  {"vg_name":"vg0", "lv_name":"var-log", "lv_size":"10737418240", "segtype":"linear", "pool_lv":""},
                  {"vg_name":"vg0", "lv_name":"swap", "lv_size":"8589934592", "segtype":"linear", "pool_lv":""}
              ]
          }
      ]
  }
`,
  swaps: '/dev/dm-3 partition 8388604 0 -2\n/swapfile file 2097148 0 -3\n',
  zram: 'zram0 8589934592\n',
  used: { '/': 6_000_000, '/var/log': 500_000, '/data': 400_000_000 },
};
