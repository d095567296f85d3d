import { imagerGrubDirectories, imagerTools } from '../machine/imager-tools.ts';
import { partitionLabels } from '../machine/installed-layout.ts';

/**
 * What of Debian goes into the imager. Raise `recipeVersion` when the way it is put together changes in a manner that
 * the lists here do not show: bases made before are then not used again.
 */
export const recipeVersion = 3;

/** Packages beside those of the tools: the kernel, and what Node and the imager's own scripts need. */
const otherPackages = [
  'grub-pc-bin',
  'grub-efi-amd64-bin',
  'dash',
  'busybox-static',
  'kmod',
  'udev',
  'iproute2',
  'libatomic1',
  'libstdc++6',
];
const otherPrograms = [
  ...['busybox', 'dash', 'modprobe', 'insmod', 'depmod', 'lsmod', 'udevadm', 'ip', 'blkid', 'findmnt', 'blkdiscard'],
  ...[
    'e2fsck',
    'tune2fs',
    'xfs_repair',
    'thin_repair',
    'thin_restore',
    'chattr',
    'fsck.vfat',
    'grub-bios-setup',
    'grub-probe',
    'nologin',
  ],
];

/** Packages to fetch, sorted; without the suite's kernel where another is taken. */
export function imagerPackages(withKernel = true): string[] {
  const ofTools = imagerTools.map((tool) => tool.package).filter((name) => name !== 'busybox');
  const others = [...otherPackages, ...(withKernel ? ['linux-image-amd64'] : [])];
  return [...new Set([...ofTools, ...others])].sort();
}

/** Programs to take; `required` ones must be there, or in busybox. */
export function imagerPrograms(): Array<{ name: string; required: boolean }> {
  const ofTools = imagerTools.map((tool) => ({ name: tool.program, required: tool.optional !== true }));
  const known = new Set(ofTools.map((tool) => tool.name));
  const others = otherPrograms
    .filter((name) => !known.has(name))
    .map((name) => ({ name, required: name === 'busybox' || name === 'dash' }));
  return [...ofTools, ...others];
}

/**
 * What busybox stands in for, where no program of that name was taken. Not `sh`, which is dash: Debian's busybox runs its own
 * applets even where the real program is on the path.
 */
export const busyboxApplets: readonly string[] = [
  ...['[', 'ash', 'awk', 'basename', 'cat', 'chgrp', 'chmod', 'chown', 'chroot', 'chvt', 'clear', 'cmp', 'cp', 'cut'],
  ...['date', 'dd', 'df', 'diff', 'dirname', 'dmesg', 'du', 'echo', 'env', 'expr', 'false', 'find', 'free', 'grep'],
  ...['gunzip', 'gzip', 'halt', 'head', 'hexdump', 'hostname', 'hwclock', 'id', 'kill', 'killall', 'less', 'ln', 'ls'],
  ...[
    'lspci',
    'lsusb',
    'md5sum',
    'mkdir',
    'mkfifo',
    'mknod',
    'mktemp',
    'more',
    'mount',
    'mv',
    'nc',
    'netstat',
    'nproc',
  ],
  ...['nslookup', 'od', 'pidof', 'ping', 'poweroff', 'printf', 'ps', 'pwd', 'readlink', 'realpath', 'reboot', 'reset'],
  ...['rm', 'rmdir', 'rmmod', 'sed', 'seq', 'setsid', 'sha256sum', 'sleep', 'sort', 'stat', 'stty', 'swapoff'],
  ...[
    'swapon',
    'switch_root',
    'sync',
    'sysctl',
    'tail',
    'tar',
    'tee',
    'telnet',
    'test',
    'timeout',
    'top',
    'touch',
    'tr',
  ],
  ...['true', 'tty', 'udhcpc', 'umount', 'uname', 'uniq', 'unshare', 'uptime', 'usleep', 'vi', 'watch', 'wc', 'wget'],
  ...['which', 'xargs', 'xxd', 'yes', 'zcat'],
];

/**
 * Files and directories (with all in them) that programs read, as paths of Debian's; a `*` stands for any part of the
 * last name. What a suite lacks is left out.
 */
export const imagerData: readonly string[] = [
  ...imagerGrubDirectories,
  '/etc/mke2fs.conf',
  '/etc/modprobe.d',
  '/usr/lib/modprobe.d',
  // Whatever sets arrays or volume groups in motion stays out: they would hold the disk that is to be written.
  '/usr/lib/udev/rules.d/50-udev-default.rules',
  '/usr/lib/udev/rules.d/60-block.rules',
  '/usr/lib/udev/rules.d/60-cdrom_id.rules',
  '/usr/lib/udev/rules.d/60-persistent-storage.rules',
  '/usr/lib/udev/rules.d/80-drivers.rules',
  '/usr/lib/udev/ata_id',
  '/usr/lib/udev/cdrom_id',
  '/usr/lib/udev/scsi_id',
  // Names on FAT: mkfs.vfat and mtools convert them.
  '/usr/lib/x86_64-linux-gnu/gconv/gconv-modules*',
  '/usr/lib/x86_64-linux-gnu/gconv/IBM437.so',
  '/usr/lib/x86_64-linux-gnu/gconv/IBM850.so',
  '/usr/lib/x86_64-linux-gnu/gconv/UTF-16.so',
  '/usr/lib/x86_64-linux-gnu/gconv/UTF-32.so',
  // Loaded by name, so no program's list of libraries shows it (glibc, when a thread is cancelled).
  '/usr/lib/x86_64-linux-gnu/libgcc_s.so.1',
  '/usr/share/doc/busybox-static/copyright',
];

/** Parts of GRUB's directories that only other ways of booting need. */
export const leftOutData = /\/usr\/lib\/grub\/[^/]+\/(monolithic|signed)(\/|$)/;

/** Kernel modules to take: what their paths begin with. */
export const wantedModules: readonly string[] = [
  ...['arch/x86/crypto/', 'crypto/', 'drivers/ata/', 'drivers/block/', 'drivers/char/hw_random/', 'drivers/hv/'],
  ...['drivers/hid/hid-generic.', 'drivers/hid/hid-hyperv.', 'drivers/hid/hid.', 'drivers/hid/usbhid/'],
  ...['drivers/md/', 'drivers/message/', 'drivers/mmc/', 'drivers/net/bonding/', 'drivers/net/ethernet/'],
  ...['drivers/net/hyperv/', 'drivers/net/mdio/', 'drivers/net/pcs/', 'drivers/net/phy/', 'drivers/net/usb/'],
  ...['drivers/net/virtio_net.', 'drivers/net/vmxnet3/', 'drivers/net/xen-netfront.', 'drivers/nvme/host/'],
  ...['drivers/pci/', 'drivers/scsi/', 'drivers/ufs/', 'drivers/usb/common/', 'drivers/usb/core/', 'drivers/usb/host/'],
  ...[
    'drivers/usb/dwc3/',
    'drivers/usb/storage/',
    'drivers/virtio/',
    'drivers/xen/xen-scsi',
    'fs/btrfs/',
    'fs/efivarfs/',
  ],
  ...['fs/ext4/', 'fs/fat/', 'fs/isofs/', 'fs/nls/nls_ascii.', 'fs/nls/nls_cp437.', 'fs/nls/nls_cp850.'],
  ...['fs/nls/nls_iso8859-1.', 'fs/nls/nls_utf8.', 'fs/overlayfs/', 'fs/squashfs/', 'fs/xfs/', 'net/8021q/'],
];
/** No machine is installed through these, or probing them costs time (a floppy that is not there: seconds). */
export const unwantedModules: readonly string[] = [
  ...[
    'drivers/block/aoe/',
    'drivers/block/drbd/',
    'drivers/block/floppy.',
    'drivers/block/pktcdvd.',
    'drivers/block/rbd.',
  ],
  ...[
    'drivers/block/rnbd/',
    'drivers/block/zram/',
    'drivers/net/phy/sfp.',
    'drivers/scsi/pcmcia/',
    'drivers/scsi/scsi_debug.',
  ],
  ...['drivers/usb/host/isp', 'drivers/usb/host/sl811', 'crypto/ansi_cprng.', 'drivers/net/ethernet/mellanox/mlxsw/'],
];

/** Whether a kernel module, as `drivers/ata/ahci.ko`, belongs in the imager; what it depends on comes with it. */
export function isWantedModule(path: string): boolean {
  const under = (prefix: string) => path.startsWith(prefix);
  return wantedModules.some(under) && !unwantedModules.some(under);
}

/** Modules that the initrd's first stage loads to reach the rest, in this order. */
export const firstStageModules: readonly string[] = ['loop', 'squashfs', 'overlay'];

/** Modules that a self test looks for: one of each kind of hardware and file system. */
export const checkedModules: readonly string[] = [
  ...['virtio_blk', 'virtio_net', 'virtio_scsi', 'nvme', 'ahci', 'usb_storage', 'sd_mod', 'megaraid_sas', 'mpt3sas'],
  ...['e1000', 'e1000e', 'igb', 'ixgbe', 'i40e', 'ice', 'r8169', 'tg3', 'bnxt_en', 'mlx5_core', 'vmxnet3', 'atlantic'],
  ...[
    'ext4',
    'xfs',
    'btrfs',
    'vfat',
    'raid1',
    'raid456',
    'dm_mod',
    'dm_snapshot',
    'dm_crypt',
    'dm_thin_pool',
    'nls_cp437',
    'xhci_pci',
    'usbhid',
  ],
  // What a live system's root is made of, and where its source lies.
  ...['nbd', 'loop', 'overlay', 'isofs', 'squashfs'],
];

/**
 * What the GRUB does that iPXE starts on UEFI machines whose disk is to boot: the loader that an install puts on every disk,
 * first on the ESP that carries our label, else on whichever has one. A line that fails is passed over.
 */
export const localDiskConfiguration = [
  `search.fs_label ${partitionLabels.esp} root`,
  'chainloader /EFI/BOOT/BOOTX64.EFI',
  'boot',
  // What was installed before disks had a boot partition.
  'search.fs_label EFI root',
  'chainloader /EFI/BOOT/BOOTX64.EFI',
  'boot',
  'search.file /EFI/BOOT/BOOTX64.EFI root',
  'chainloader /EFI/BOOT/BOOTX64.EFI',
  'boot',
  'echo Imprint: no disk of this machine has /EFI/BOOT/BOOTX64.EFI',
  'exit',
  '',
].join('\n');
export const localDiskModules: readonly string[] = [
  ...['part_gpt', 'part_msdos', 'fat', 'search_label', 'search_fs_file', 'chain', 'boot', 'echo', 'minicmd'],
];
