import { describe, expect, it } from 'vitest';
import { type RootFacts, type RootKind, recogniseRoot } from './recognise-root.ts';

/** The root's line of mountinfo, behind others as every system has them. */
function mounts(type: string, source: string, layers = 'rw'): string {
  return `21 27 0:20 / /proc rw - proc proc rw\n27 1 0:24 / / rw,relatime shared:1 - ${type} ${source} ${layers}\n28 27 8:17 / /mnt rw - ext4 /dev/sdb1 rw\n`;
}

function recognise(facts: Partial<RootFacts>) {
  return recogniseRoot({ mounts: mounts('ext4', '/dev/vda2'), commandLine: 'quiet', hasKernel: true, ...facts });
}

const liveBoot =
  'rw,lowerdir=/run/live/rootfs/filesystem.squashfs/,upperdir=/run/live/overlay/rw,workdir=/run/live/overlay/work';
const snapshot = { name: 'live-rw', table: '0 1433600 snapshot 7:1 7:2 PO 8' };

const systems: readonly [string, Partial<RootFacts>, RootKind, RegExp, RegExp][] = [
  [
    'ours, nobody at home',
    { mounts: mounts('ext4', '/dev/mapper/imprint-root') },
    ...(['ours', /does not answer/, /imprint watch/] as const),
  ],
  [
    'Debian’s live-boot',
    { mounts: mounts('overlay', 'overlay', liveBoot), commandLine: 'boot=live components quiet' },
    ...(['live-boot', /live-boot: its root is an overlay/, /capture \/ --name web --store/] as const),
  ],
  [
    'Debian’s live-boot, by its layers',
    { mounts: mounts('overlay', 'overlay', liveBoot) },
    ...(['live-boot', /live-boot/, /media usb/] as const),
  ],
  [
    'Ubuntu’s casper',
    { mounts: mounts('overlay', '/cow', 'rw,lowerdir=/filesystem.squashfs'), commandLine: 'boot=casper quiet ---' },
    ...(['casper', /casper/, /--exclude '\/cdrom\/\*'/] as const),
  ],
  [
    'dracut with an overlay',
    { mounts: mounts('overlay', 'LiveOS_rootfs'), commandLine: 'root=live:CDLABEL=F rd.live.image' },
    ...(['dracut-overlay', /dracut’s kind: its root is an overlay/, /capture/] as const),
  ],
  [
    'dracut with a snapshot',
    {
      mounts: mounts('ext4', '/dev/mapper/live-rw'),
      commandLine: 'root=live:CDLABEL=F rd.live.image',
      mapped: snapshot,
    },
    ...([
      'dracut-mapped',
      /live-rw\) is a snapshot of its medium.* only roots that Imprint itself started/,
      /capture/,
    ] as const),
  ],
  [
    'dracut with a writable copy, dmsetup missing',
    { mounts: mounts('ext4', '/dev/mapper/live-rw'), mapped: { name: 'live-rw', table: '' } },
    ...(['dracut-mapped', /a device of the device mapper/, /capture/] as const),
  ],
  ['another overlay', { mounts: mounts('overlay', 'airootfs') }, 'overlay', /^its root is an overlay/, /capture/],
  ['a system in memory', { mounts: mounts('tmpfs', 'tmpfs') }, 'memory', /memory \(tmpfs\)/, /capture/],
  ['a squashfs', { mounts: mounts('squashfs', '/dev/loop0') }, 'read-only', /squashfs/, /capture/],
  ['a root on a server', { mounts: mounts('nfs4', 'store:/roots/a') }, 'network', /nfs4, store:\/roots\/a/, /capture/],
  [
    'a container',
    { mounts: mounts('overlay', 'overlay', 'rw,lowerdir=/var/lib/docker/x'), container: 'docker' },
    ...(['container', /container \(docker\)/, /imprint edit web/] as const),
  ],
  ['an installed system', {}, 'installed', /installed already, on \/dev\/vda2/, /imprint install MACHINE/],
  [
    'one on a volume',
    { mounts: mounts('xfs', '/dev/mapper/vg-root'), mapped: { name: 'vg-root', table: '0 9 linear 8:2 2048' } },
    ...(['installed', /on \/dev\/mapper\/vg-root/, /capture/] as const),
  ],
  ['one of ours', { commandLine: 'root=UUID=1 imprint.slot=web' }, 'installed', /already/, /imprint update/],
  ['nothing that is known', { mounts: '' }, 'unknown', /none that Imprint knows/, /capture/],
];

describe('a system in which nobody moves roots', () => {
  it.each(systems)('is recognised: %s', (_, facts, kind, problem, hint) => {
    const found = recognise(facts);
    expect(found.kind).toBe(kind);
    expect(found.problem).toMatch(problem);
    expect(found.hint).toMatch(hint);
  });

  it('is told that a version needs a kernel, where it has none', () => {
    const facts = { mounts: mounts('overlay', 'overlay', liveBoot) };
    expect(recognise({ ...facts, hasKernel: false }).hint).toMatch(/no kernel in \/boot/);
    expect(recognise(facts).hint).not.toMatch(/no kernel/);
  });

  it('is judged by the root that was mounted last over another', () => {
    const text = `1 1 0:2 / / rw - rootfs rootfs rw\n${mounts('overlay', 'overlay', liveBoot)}`;
    expect(recognise({ mounts: text }).kind).toBe('live-boot');
  });
});
