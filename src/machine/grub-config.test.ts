import { expect, it } from 'vitest';
import { quoteForGrub, renderCoreConfig, renderGrubConfig } from './grub-config.ts';
import { pairKernels } from './image-content.ts';
import { mergeKernelOptions, serialConsole, splitKernelOptions, withoutMachinesOwn } from './kernel-options.ts';
import { compareVersions } from './version-order.ts';

const root = { uuid: 'r-1', partitionUuid: 'p-1', type: 'xfs' } as const;

it('writes an entry for each kernel, newest first, and speaks on the serial line that the kernel uses', () => {
  const kernels = pairKernels(['vmlinuz-6.1.0-9', 'initrd.img-6.1.0-9', 'vmlinuz-6.1.0-10', 'config-6.1.0-10']);
  const config = renderGrubConfig({
    title: "Tom's Linux",
    kernels,
    root,
    options: ['quiet', 'console=ttyS1,9600'],
    timeout: 2,
  });
  expect(config).toContain('serial --unit=1 --speed=9600');
  expect(config).toContain('search --no-floppy --fs-uuid --set=root r-1');
  expect(config.indexOf('6.1.0-10')).toBeLessThan(config.indexOf('6.1.0-9'));
  expect(config).toContain(
    '  linux /boot/vmlinuz-6.1.0-9 root=UUID=r-1 ro quiet console=ttyS1,9600\n  initrd /boot/initrd.img-6.1.0-9\n',
  );
  expect(config).toContain('linux /boot/vmlinuz-6.1.0-10 root=PARTUUID=p-1 rootfstype=xfs rootwait ro quiet');
  expect(config).toContain("menuentry 'Tom'\\''s Linux, Linux 6.1.0-9 (recovery)' {");
  expect(config.match(/^menuentry/gm)).toHaveLength(4);
});

it('writes the core’s own small configuration', () => {
  expect(renderCoreConfig('u')).toBe('search.fs_uuid u root\nset prefix=($root)/boot/grub\n');
});

it('quotes for GRUB’s shell', () => {
  expect(quoteForGrub('root=UUID=1')).toBe('root=UUID=1');
  expect(quoteForGrub('a;reboot')).toBe("'a;reboot'");
  expect(quoteForGrub('$x\n"y"')).toBe(`'$x "y"'`);
});

it.each([
  ['Debian', ['vmlinuz-6.1.0-10-amd64', 'initrd.img-6.1.0-10-amd64'], 'initrd.img-6.1.0-10-amd64'],
  [
    'Fedora',
    ['vmlinuz-6.8.5-301.fc40.x86_64', 'initramfs-6.8.5-301.fc40.x86_64.img'],
    'initramfs-6.8.5-301.fc40.x86_64.img',
  ],
  ['SUSE', ['vmlinuz-6.4.0-default', 'initrd-6.4.0-default'], 'initrd-6.4.0-default'],
  ['Arch', ['vmlinuz-linux', 'initramfs-linux.img', 'initramfs-linux-fallback.img'], 'initramfs-linux.img'],
])('pairs kernels with their RAM disks as %s names them', (_system, names, initrd) => {
  expect(pairKernels(names)).toEqual([expect.objectContaining({ kernel: names[0], initrd })]);
});

it('takes no rescue kernel for the newest, and no leftovers for kernels', () => {
  const kernels = pairKernels([
    'vmlinuz-9-rescue-abc',
    'vmlinuz-5.14.0',
    'vmlinuz-5.14.0.bak',
    'vmlinuz-5.14.0.dpkg-tmp',
  ]);
  expect(kernels.map(({ version }) => version)).toEqual(['5.14.0', '9-rescue-abc']);
  expect(pairKernels(['memtest86+x64.bin', 'System.map-6.1.0', 'grub'])).toEqual([]);
});

it.each([
  ['6.1.0-9-amd64', '6.1.0-10-amd64'],
  ['6.2~rc1', '6.2'],
  ['5.15.0', '6.1.0'],
  ['6.1', '6.1.1'],
  ['6.1.0-9', '6.1.0-9-amd64'],
])('orders %s before %s', (older, newer) => {
  expect(compareVersions(older, newer)).toBeLessThan(0);
  expect(compareVersions(newer, older)).toBeGreaterThan(0);
  expect(compareVersions(older, older)).toBe(0);
});

it('takes the golden machine’s own disks out of its kernel options', () => {
  const recorded = 'BOOT_IMAGE=/boot/x root=UUID=1 ro quiet resume=UUID=2 console=tty0 console=ttyS0 rd.lvm.lv=vg/root';
  expect(mergeKernelOptions(recorded, undefined, undefined)).toEqual([
    'quiet',
    'console=tty0',
    'console=ttyS0',
    'noresume',
  ]);
  expect(mergeKernelOptions('mitigations=auto quiet', 'mitigations=off', 's')).toEqual([
    'quiet',
    'mitigations=off',
    'resume=UUID=s',
  ]);
  expect(mergeKernelOptions('console=tty0', 'console=ttyS0 noresume', 's')).toEqual([
    'console=tty0',
    'console=ttyS0',
    'noresume',
  ]);
});

it.each([
  ['boot=live components username=me toram live-media-path=/live quiet console=ttyS0', 'quiet console=ttyS0'],
  ['root=live:CDLABEL=F rd.live.image rd.live.overlay.overlayfs=1 rd.luks=0 quiet', 'quiet'],
  ['boot=casper iso-scan/filename=/u.iso persistent quiet splash ---', 'quiet splash'],
  ['root=UUID=1 ro components=2 quiet', 'components=2 quiet'],
])('takes how a live system was started out of its kernel options: %s', (line, kept) => {
  expect(withoutMachinesOwn(line)).toBe(kept);
});

it('keeps quoted options whole', () => {
  expect(splitKernelOptions(' quiet  dyndbg="file a.c +p; file b.c +p" x ')).toEqual([
    'quiet',
    'dyndbg="file a.c +p; file b.c +p"',
    'x',
  ]);
});

it('finds the serial console', () => {
  expect(serialConsole(['quiet', 'console=tty0', 'console=ttyS0'])).toEqual({ unit: 0, speed: 115200 });
  expect(serialConsole(['console=tty0'])).toBeUndefined();
});
