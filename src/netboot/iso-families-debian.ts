import type { IsoFamily } from './iso-family.ts';

const liveBoot = 'boot=live components findiso=$iso';
const liveKernel = ['/live/vmlinuz', '/live/vmlinuz-*'];
const casperKernel = ['/casper/vmlinuz', '/casper/vmlinuz.efi', '/casper/hwe-vmlinuz'];
const casperInitrd = [
  ['/casper/initrd', '/casper/initrd.lz', '/casper/initrd.gz', '/casper/initrd.img', '/casper/hwe-initrd'],
];
const liveInitrd = [['/live/initrd.img', '/live/initrd', '/live/initrd.img-*']];

/** What is built with live-boot, casper or the Debian installer. */
export const debianFamilies: readonly IsoFamily[] = [
  {
    id: 'clonezilla',
    name: 'Clonezilla',
    has: [['/Clonezilla-Live-Version', '/live/Clonezilla-Live-Version'], ['/live/filesystem.squashfs']],
    entries: [
      {
        kind: 'linux',
        title: 'Clonezilla',
        kernels: liveKernel,
        initrds: liveInitrd,
        options:
          'boot=live union=overlay username=user config components quiet loglevel=0 noswap nosplash ocs_live_run="ocs-live-general" ocs_live_batch=no net.ifnames=0 findiso=$iso',
      },
      {
        kind: 'linux',
        title: 'Clonezilla, all in memory',
        kernels: liveKernel,
        initrds: liveInitrd,
        options:
          'boot=live union=overlay username=user config components quiet noswap nosplash ocs_live_run="ocs-live-general" ocs_live_batch=no net.ifnames=0 toram=filesystem.squashfs findiso=$iso',
      },
    ],
    source: 'Clonezilla live’s own grub.cfg; live-boot(7) findiso',
  },
  {
    id: 'gparted',
    name: 'GParted Live',
    has: [['/GParted-Live-Version', '/live/GParted-Live-Version'], ['/live/filesystem.squashfs']],
    entries: [
      {
        kind: 'linux',
        title: 'GParted Live',
        kernels: liveKernel,
        initrds: liveInitrd,
        options: 'boot=live union=overlay username=user config components quiet noswap net.ifnames=0 findiso=$iso',
      },
    ],
    source: 'GParted live’s own grub.cfg; live-boot(7) findiso',
  },
  {
    id: 'debian-live',
    name: 'live-boot (Debian live, Kali, Parrot …)',
    has: [
      ['/live/filesystem.squashfs', '/live/filesystem.module'],
      ['/live/vmlinuz', '/live/vmlinuz*'],
    ],
    entries: [
      { kind: 'linux', title: 'Live system', kernels: liveKernel, initrds: liveInitrd, options: liveBoot },
      {
        kind: 'linux',
        title: 'Live system, all in memory',
        kernels: liveKernel,
        initrds: liveInitrd,
        options: `${liveBoot} toram`,
      },
      {
        kind: 'linux',
        title: 'Live system, what is changed is kept',
        kernels: liveKernel,
        initrds: liveInitrd,
        options: `${liveBoot} persistence`,
      },
      {
        kind: 'linux',
        title: 'Live system, simplest graphics',
        kernels: liveKernel,
        initrds: liveInitrd,
        options: `${liveBoot} nomodeset`,
      },
    ],
    source: 'live-boot(7): findiso, toram, persistence',
  },
  {
    id: 'casper',
    name: 'casper (Ubuntu, Mint …)',
    has: [casperKernel],
    entries: [
      {
        kind: 'linux',
        title: 'Live system or installer',
        kernels: casperKernel,
        initrds: casperInitrd,
        options: 'boot=casper iso-scan/filename=$iso ---',
      },
      {
        kind: 'linux',
        title: 'Live system or installer, simplest graphics',
        kernels: casperKernel,
        initrds: casperInitrd,
        options: 'boot=casper nomodeset iso-scan/filename=$iso ---',
      },
    ],
    source: 'casper(7); the ISO’s own /boot/grub/loopback.cfg',
  },
  {
    id: 'debian-installer',
    name: 'Debian installer',
    has: [['/install.amd/vmlinuz', '/install.a64/vmlinuz', '/install/vmlinuz'], ['/.disk/info']],
    entries: [],
    refusal:
      'The installer of this ISO looks for a CD, not for a file. With the installer’s own hd-media files beside it, it works: copy vmlinuz and initrd.gz of dists/SUITE/main/installer-amd64/current/images/hd-media as NAME.iso.vmlinuz and NAME.iso.initrd.',
    source: 'Debian installation guide: hd-media, iso-scan',
  },
];
