import type { IsoFamily } from './iso-family.ts';

/** Systems that do not start from a file: said here rather than found out at three in the morning. */
export const foreignFamilies: readonly IsoFamily[] = [
  {
    id: 'windows',
    name: 'Windows',
    has: [['/bootmgr', '/bootmgr.efi', '/sources/boot.wim', '/sources/install.wim']],
    entries: [],
    refusal:
      'Windows Setup looks for its files on a drive of its own, not in a file. Write this ISO onto another stick with Microsoft’s own tool or Rufus.',
    source: 'Windows Setup reads its boot drive only',
  },
  {
    id: 'esxi',
    name: 'VMware ESXi',
    has: [['/boot.cfg'], ['/b.b00', '/mboot.c32', '/efi/boot/boot.cfg']],
    entries: [],
    refusal:
      'The boot loader of ESXi reads its modules from a drive of its own, not from a file. Write this ISO onto another stick.',
    source: 'ESXi boots by mboot from the volume that it was started from',
  },
  {
    id: 'bsd',
    name: 'BSD',
    has: [['/boot/kernel/kernel', '/boot/loader.efi', '/bsd.rd', '/netbsd']],
    lacks: ['/boot/grub'],
    entries: [],
    refusal: 'Kernels of BSD do not look for their system in an ISO file. Write its memstick image onto another stick.',
    source: 'FreeBSD loader(8): the root comes from the device that the loader was started from',
  },
  {
    id: 'tails',
    name: 'Tails',
    has: [['/live/Tails.module']],
    entries: [],
    refusal:
      'Tails starts only from a partition of its own, so that nothing else can have touched it. Write its USB image onto another stick.',
    source: 'Tails, contribute/design: live-media=removable',
  },
];
