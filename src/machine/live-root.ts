/** Roots of other live systems that lie in several layers: no block device is below, so none can take its place. */
const layered: Readonly<Record<string, string>> = {
  overlay:
    'its root is an overlay of several file systems (Debian’s live-boot, dracut’s live systems and others do that)',
  aufs: 'its root is an aufs of several file systems',
  squashfs: 'its root is a squashfs, which cannot be written at all',
  tmpfs: 'its root is memory, and no block device',
  rootfs: 'its root is memory, and no block device',
};

const instead =
  'Install it as always: capture this machine, or start it from a medium of Imprint (imprint media iso|usb --live) or by its server (imprint install MACHINE --live).';

/** Why a system in which nobody answers cannot move onto a disk, by its `/proc/self/mounts`, and what can be done. */
export function liveProblemOf(mounts: string): { problem: string; hint: string } {
  const root = mounts
    .split('\n')
    .map((line) => line.split(' '))
    .findLast(([, point]) => point === '/');
  const [device = '', , type = ''] = root ?? [];
  const problem = layered[type];
  if (problem !== undefined) return { problem, hint: instead };
  if (device === '/dev/mapper/imprint-root')
    return {
      problem: 'what serves its root does not answer',
      hint: 'It is being moved by its server, or was before: imprint watch, there.',
    };
  if (device.startsWith('/dev/') || /^(?:ext4|xfs|btrfs)$/.test(type))
    return {
      problem: `it lies on a disk already (${device || type})`,
      hint: 'Name the machine to install: imprint install MACHINE.',
    };
  return { problem: 'it was not started as a live system of Imprint', hint: instead };
}
