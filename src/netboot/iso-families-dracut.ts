import type { IsoFamily } from './iso-family.ts';

const dracut = 'rd.live.image iso-scan/filename=$iso';
/** Without it dracut 059 mounts no root that lies in the squashfs itself; older ones without OverlayFS pass it over. */
const overlay = 'rd.live.overlay.overlayfs=1';

/** What is built with archiso or dracut, and the installers beside them. */
export const dracutFamilies: readonly IsoFamily[] = [
  {
    id: 'systemrescue',
    name: 'SystemRescue',
    has: [['/sysresccd/boot/x86_64/vmlinuz']],
    entries: [
      {
        kind: 'linux',
        title: 'SystemRescue',
        kernels: ['/sysresccd/boot/x86_64/vmlinuz'],
        initrds: [
          ['/sysresccd/boot/intel_ucode.img'],
          ['/sysresccd/boot/amd_ucode.img'],
          ['/sysresccd/boot/x86_64/sysresccd.img'],
        ],
        options: 'archisobasedir=sysresccd img_dev=/dev/disk/by-uuid/$uuid img_loop=$iso iomem=relaxed',
      },
      {
        kind: 'linux',
        title: 'SystemRescue, all in memory',
        kernels: ['/sysresccd/boot/x86_64/vmlinuz'],
        initrds: [
          ['/sysresccd/boot/intel_ucode.img'],
          ['/sysresccd/boot/amd_ucode.img'],
          ['/sysresccd/boot/x86_64/sysresccd.img'],
        ],
        options: 'archisobasedir=sysresccd img_dev=/dev/disk/by-uuid/$uuid img_loop=$iso iomem=relaxed copytoram',
      },
    ],
    source: 'SystemRescue’s own loopback.cfg',
  },
  {
    id: 'arch',
    name: 'Arch',
    has: [['/arch/boot/x86_64/vmlinuz-linux', '/arch/boot/x86_64/vmlinuz-linux-lts']],
    entries: [
      {
        kind: 'linux',
        title: 'Arch',
        kernels: ['/arch/boot/x86_64/vmlinuz-linux', '/arch/boot/x86_64/vmlinuz-linux-lts'],
        initrds: [
          ['/arch/boot/intel-ucode.img'],
          ['/arch/boot/amd-ucode.img'],
          ['/arch/boot/x86_64/initramfs-linux.img', '/arch/boot/x86_64/initramfs-linux-lts.img'],
        ],
        options: 'archisobasedir=arch img_dev=/dev/disk/by-uuid/$uuid img_loop=$iso',
      },
    ],
    source: 'mkinitcpio-archiso: img_dev, img_loop; archiso’s own loopback.cfg',
  },
  {
    id: 'manjaro',
    name: 'Manjaro',
    has: [['/boot/vmlinuz-x86_64'], ['/manjaro']],
    entries: [
      {
        kind: 'linux',
        title: 'Manjaro',
        kernels: ['/boot/vmlinuz-x86_64'],
        initrds: [['/boot/intel_ucode.img'], ['/boot/amd_ucode.img'], ['/boot/initramfs-x86_64.img']],
        options:
          'misobasedir=manjaro misolabel=$label img_dev=/dev/disk/by-uuid/$uuid img_loop=$iso driver=free nouveau.modeset=1',
      },
    ],
    source: 'manjaro-tools: miso_loop_mnt hook',
  },
  {
    id: 'anaconda',
    name: 'Fedora and RHEL installer',
    has: [['/images/install.img'], ['/images/pxeboot/vmlinuz']],
    entries: [
      {
        kind: 'linux',
        title: 'Installer',
        kernels: ['/images/pxeboot/vmlinuz'],
        initrds: [['/images/pxeboot/initrd.img']],
        options: 'inst.stage2=hd:UUID=$isouuid iso-scan/filename=$iso',
      },
      {
        kind: 'linux',
        title: 'Rescue system',
        kernels: ['/images/pxeboot/vmlinuz'],
        initrds: [['/images/pxeboot/initrd.img']],
        options: 'inst.rescue inst.stage2=hd:UUID=$isouuid iso-scan/filename=$iso',
      },
    ],
    source: 'Anaconda boot options: inst.stage2; dracut.cmdline(7) iso-scan/filename',
  },
  {
    id: 'opensuse-installer',
    name: 'openSUSE and SLES installer',
    has: [['/boot/x86_64/loader/linux'], ['/boot/x86_64/root', '/boot/x86_64/common']],
    entries: [
      {
        kind: 'linux',
        title: 'Installer',
        kernels: ['/boot/x86_64/loader/linux'],
        initrds: [['/boot/x86_64/loader/initrd']],
        options: 'install=hd:$iso?device=disk/by-uuid/$uuid',
      },
    ],
    source: 'SDB:Linuxrc, install=hd:PATH?device=…',
  },
  {
    id: 'kiwi-live',
    name: 'openSUSE live (kiwi)',
    has: [['/boot/x86_64/loader/linux'], ['/LiveOS/squashfs.img']],
    entries: [
      {
        kind: 'linux',
        title: 'Live system',
        kernels: ['/boot/x86_64/loader/linux'],
        initrds: [['/boot/x86_64/loader/initrd']],
        options: `root=live:CDLABEL=$label ${dracut}`,
      },
    ],
    source: 'kiwi, “Booting a Live ISO Image from Grub”',
  },
  {
    id: 'void',
    name: 'Void',
    has: [['/boot/vmlinuz'], ['/boot/initrd'], ['/LiveOS/squashfs.img', '/LiveOS/ext3fs.img']],
    entries: [
      {
        kind: 'linux',
        title: 'Live system',
        kernels: ['/boot/vmlinuz'],
        initrds: [['/boot/initrd']],
        options: `root=live:UUID=$isouuid ro init=/sbin/init rd.luks=0 rd.md=0 rd.dm=0 rd.live.overlay.overlayfs=1 ${dracut}`,
      },
    ],
    source: 'void-mklive’s own grub.cfg; dracut.cmdline(7)',
  },
  {
    id: 'dracut-live',
    name: 'Fedora live (dracut)',
    has: [
      ['/LiveOS/squashfs.img', '/LiveOS/rootfs.img'],
      ['/images/pxeboot/vmlinuz', '/isolinux/vmlinuz', '/isolinux/vmlinuz0', '/boot/vmlinuz'],
    ],
    entries: [
      {
        kind: 'linux',
        title: 'Live system',
        kernels: ['/images/pxeboot/vmlinuz', '/isolinux/vmlinuz', '/isolinux/vmlinuz0', '/boot/vmlinuz'],
        initrds: [['/images/pxeboot/initrd.img', '/isolinux/initrd.img', '/isolinux/initrd0.img', '/boot/initrd.img']],
        options: `root=live:UUID=$isouuid ${overlay} ${dracut}`,
      },
      {
        kind: 'linux',
        title: 'Live system, simplest graphics',
        kernels: ['/images/pxeboot/vmlinuz', '/isolinux/vmlinuz', '/isolinux/vmlinuz0', '/boot/vmlinuz'],
        initrds: [['/images/pxeboot/initrd.img', '/isolinux/initrd.img', '/isolinux/initrd0.img', '/boot/initrd.img']],
        options: `root=live:UUID=$isouuid ${overlay} ${dracut} nomodeset`,
      },
    ],
    source: 'dracut.cmdline(7): root=live:UUID, iso-scan/filename',
  },
];
