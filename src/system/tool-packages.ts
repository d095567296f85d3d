/** Which Debian package holds a program that Imprint starts: what `tool-missing` tells the user to install. */
const packages: Readonly<Record<string, string>> = {
  blkid: 'util-linux',
  blockdev: 'util-linux',
  btrfs: 'btrfs-progs',
  cpio: 'cpio',
  depmod: 'kmod',
  dmsetup: 'dmsetup',
  dnsmasq: 'dnsmasq-base',
  fsfreeze: 'util-linux',
  fuser: 'psmisc',
  'grub-mkimage': 'grub-common',
  ip: 'iproute2',
  losetup: 'mount',
  lsblk: 'util-linux',
  mcopy: 'mtools',
  'mkfs.btrfs': 'btrfs-progs',
  'mkfs.ext4': 'e2fsprogs',
  'mkfs.vfat': 'dosfstools',
  'mkfs.xfs': 'xfsprogs',
  mke2fs: 'e2fsprogs',
  mksquashfs: 'squashfs-tools',
  mkswap: 'util-linux',
  mmd: 'mtools',
  mmdebstrap: 'mmdebstrap',
  mount: 'mount',
  partx: 'util-linux',
  'qemu-img': 'qemu-utils',
  rsync: 'rsync',
  setpriv: 'util-linux',
  sfdisk: 'fdisk',
  ssh: 'openssh-client',
  'ssh-keygen': 'openssh-client',
  strip: 'binutils',
  sync: 'coreutils',
  tar: 'tar',
  udevadm: 'udev',
  umount: 'mount',
  unshare: 'util-linux',
  wipefs: 'util-linux',
  xz: 'xz-utils',
  zstd: 'zstd',
};

/** The package that holds `tool`; for one that is not listed, the tool's own name. */
export function packageOf(tool: string): string {
  const name = tool.slice(tool.lastIndexOf('/') + 1);
  return packages[name] ?? (name.startsWith('qemu-system-') ? 'qemu-system-x86' : name);
}
