/**
 * What the imager's initramfs must hold for an install: the programs that `operations/install` and the agent start, and the data
 * that those read. `netboot/` builds the initramfs from this list; `docs/imager.md` explains it.
 */
export interface ImagerTool {
  /** Name of the program, found on the path. */
  readonly program: string;
  /** Debian package that has it. */
  readonly package: string;
  /** True where an install does without it. */
  readonly optional?: true;
}

export const imagerTools: readonly ImagerTool[] = [
  { program: 'lsblk', package: 'util-linux' },
  { program: 'sfdisk', package: 'fdisk' },
  { program: 'wipefs', package: 'util-linux' },
  { program: 'partx', package: 'util-linux' },
  { program: 'blockdev', package: 'util-linux' },
  // Empties the journal of the boot partition: GRUB replays none.
  { program: 'fsfreeze', package: 'util-linux' },
  { program: 'mkfs.ext4', package: 'e2fsprogs' },
  { program: 'mke2fs', package: 'e2fsprogs' },
  { program: 'mkfs.xfs', package: 'xfsprogs' },
  { program: 'mkfs.btrfs', package: 'btrfs-progs' },
  { program: 'mkfs.vfat', package: 'dosfstools' },
  { program: 'mkswap', package: 'util-linux' },
  // What stacked layouts are made of. Nothing of it is set in motion by itself: the rules of udev that would are left out.
  { program: 'mdadm', package: 'mdadm' },
  { program: 'lvm', package: 'lvm2' },
  { program: 'dmsetup', package: 'dmsetup' },
  { program: 'cryptsetup', package: 'cryptsetup-bin' },
  { program: 'thin_check', package: 'thin-provisioning-tools' },
  { program: 'btrfs', package: 'btrfs-progs' },
  // A live system: its root is a device of the kernel's, filled by a process of ours, and grows while it is in use.
  { program: 'nbd-client', package: 'nbd-client' },
  { program: 'losetup', package: 'mount' },
  { program: 'resize2fs', package: 'e2fsprogs' },
  { program: 'xfs_growfs', package: 'xfsprogs' },
  { program: 'mount', package: 'mount' },
  { program: 'umount', package: 'mount' },
  { program: 'mcopy', package: 'mtools' },
  { program: 'mmd', package: 'mtools' },
  { program: 'grub-mkimage', package: 'grub-common' },
  // Looks its own user up: /etc/passwd must have root.
  { program: 'ssh-keygen', package: 'openssh-client' },
  // What initial RAM disks and kernel modules are compressed with, beside what Node knows.
  { program: 'xz', package: 'xz-utils' },
  { program: 'lz4', package: 'lz4' },
  { program: 'bzip2', package: 'bzip2' },
  // Sees whether the agent's Node runs in the new system.
  { program: 'chroot', package: 'busybox' },
  // People's scripts run in namespaces of their own, and end with the imager.
  { program: 'setpriv', package: 'util-linux' },
  { program: 'unshare', package: 'util-linux' },
  { program: 'date', package: 'busybox' },
  { program: 'reboot', package: 'busybox' },
  { program: 'poweroff', package: 'busybox' },
  // mount() of ext4, xfs and btrfs asks the kernel, which asks modprobe.
  { program: 'modprobe', package: 'kmod' },
  { program: 'udevadm', package: 'udev', optional: true },
];

/** Directories copied whole (`.mod`, `.lst`, `.img`): GRUB for both kinds of firmware. */
export const imagerGrubDirectories = ['/usr/lib/grub/i386-pc', '/usr/lib/grub/x86_64-efi'] as const;
