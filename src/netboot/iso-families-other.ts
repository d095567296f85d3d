import type { IsoFamily } from './iso-family.ts';

const dracut = 'rd.live.image iso-scan/filename=$iso';

/** Each in its own way; what merely brings a loopback.cfg comes after all who are known better. */
export const otherFamilies: readonly IsoFamily[] = [
  {
    id: 'gentoo',
    name: 'Gentoo',
    has: [['/boot/gentoo'], ['/image.squashfs']],
    entries: [
      {
        kind: 'linux',
        title: 'Gentoo',
        kernels: ['/boot/gentoo'],
        initrds: [['/boot/gentoo.igz', '/boot/gentoo-initramfs.img']],
        options: `dokeymap root=live:UUID=$isouuid rd.live.dir=/ rd.live.squashimg=image.squashfs cdroot ${dracut}`,
      },
      {
        kind: 'linux',
        title: 'Gentoo, older ones (genkernel)',
        kernels: ['/boot/gentoo'],
        initrds: [['/boot/gentoo.igz']],
        options: 'root=/dev/ram0 init=/linuxrc dokeymap looptype=squashfs loop=/image.squashfs cdroot isoboot=$iso',
      },
    ],
    source: 'catalyst: dracut since 2024; genkernel(8) isoboot before',
  },
  {
    id: 'alpine',
    name: 'Alpine',
    has: [['/boot/modloop-lts', '/boot/modloop-virt', '/boot/modloop-edge']],
    entries: [],
    refusal:
      'Alpine’s initramfs looks for a drive with its packages, not for a file, and gives up in an emergency shell. Write this ISO onto another stick.',
    source: 'mkinitfs: no isoloop (its pull request 18 was closed)',
  },
  {
    id: 'antix',
    name: 'antiX and MX',
    has: [['/antiX/vmlinuz'], ['/antiX/linuxfs']],
    entries: [
      {
        kind: 'linux',
        title: 'Live system',
        kernels: ['/antiX/vmlinuz'],
        initrds: [['/antiX/initrd.gz']],
        options: 'quiet fromiso=$iso buuid=$uuid',
      },
      {
        kind: 'linux',
        title: 'Live system, simplest graphics',
        kernels: ['/antiX/vmlinuz'],
        initrds: [['/antiX/initrd.gz']],
        options: 'failsafe nomodeset fromiso=$iso buuid=$uuid',
      },
    ],
    source: 'antiX live boot parameters: fromiso, buuid',
  },
  {
    id: 'proxmox',
    name: 'Proxmox',
    has: [
      ['/boot/linux26'],
      ['/boot/initrd.img'],
      ['/pve-base.squashfs', '/pve-installer.squashfs', '/pbs-base.squashfs', '/pmg-base.squashfs'],
    ],
    entries: [
      {
        kind: 'linux',
        title: 'Installer, the whole ISO in memory (4 GiB or more)',
        kernels: ['/boot/linux26'],
        initrds: [['/boot/initrd.img']],
        options: 'ro ramdisk_size=16777216 rw quiet splash=silent',
        whole: 'proxmox.iso',
      },
    ],
    source: 'the installer’s init: /proxmox.iso in the initial RAM disk',
  },
  {
    id: 'memtest',
    name: 'memtest86+',
    has: [
      ['/EFI/BOOT/bootx64.efi', '/EFI/BOOT/BOOTX64.EFI'],
      ['/boot/floppy.img', '/boot/memtest'],
    ],
    lacks: ['/live', '/casper', '/images'],
    entries: [{ kind: 'program', title: 'Test the memory', firmware: 'uefi', path: '/EFI/BOOT/bootx64.efi' }],
    refusal:
      'For a BIOS this ISO holds the image of a floppy disk, which GRUB cannot start. The key’s own memory test does the same.',
    test: { words: 'console=ttyS0,115200', runs: ['Memtest86\\+'] },
    source: 'memtest86+ 6: El Torito floppy emulation for BIOS',
  },
  {
    id: 'ipxe',
    name: 'iPXE',
    has: [['/ipxe.krn', '/ipxe.lkrn']],
    entries: [
      { kind: 'program', title: 'iPXE', firmware: 'bios', path: '/ipxe.krn' },
      { kind: 'program', title: 'iPXE', firmware: 'bios', path: '/ipxe.lkrn' },
    ],
    refusal:
      'For UEFI this ISO holds iPXE in the image of a file system, which GRUB cannot start from. Start it on a BIOS, or write it onto another stick.',
    test: { runs: ['iPXE \\d|initialising devices\\.\\.\\.ok|Open Source Network Boot Firmware'] },
    source: 'iPXE: bin/ipxe.lkrn follows the Linux boot protocol',
  },
  {
    id: 'loopback',
    name: 'with a loopback.cfg',
    has: [['/boot/grub/loopback.cfg']],
    entries: [{ kind: 'config', title: 'Its own menu', path: '/boot/grub/loopback.cfg', takesPath: true }],
    source: 'https://www.supergrubdisk.org/wiki/Loopback.cfg',
  },
  {
    id: 'nixos',
    name: 'NixOS',
    has: [['/nix-store.squashfs']],
    entries: [],
    refusal: 'This NixOS carries no loopback.cfg, without which nobody knows which system to start. Take a newer one.',
    source: 'nixpkgs, iso-image.nix: loopback.cfg since 20.09',
  },
  {
    id: 'grub',
    name: 'GRUB rescue',
    has: [['/boot/grub/i386-pc/normal.mod'], ['/boot/grub/grub.cfg']],
    lacks: ['/live', '/casper', '/images', '/install.amd', '/boot/vmlinuz'],
    entries: [
      { kind: 'config', title: 'Its own menu', firmware: 'bios', path: '/boot/grub/grub.cfg', takesPath: false },
    ],
    refusal: 'It is for machines with a BIOS.',
    // The one screen of it that our own menu, which is GRUB's too, does not show.
    test: { runs: ['GNU/Hurd'] },
    source: 'grub-mkrescue(1)',
  },
];
