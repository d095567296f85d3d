import { expect, it } from 'vitest';
import { liveProblemOf } from './live-root.ts';

it.each([
  ['overlay / overlay rw,lowerdir=/run/live/rootfs 0 0', /overlay/, /--live/],
  ['rootfs / rootfs rw 0 0\nLiveOS_rootfs / overlay rw 0 0', /overlay/, /--live/],
  ['tmpfs / tmpfs rw 0 0', /memory/, /--live/],
  ['/dev/mapper/imprint-root / ext4 rw 0 0', /does not answer/, /watch/],
  ['/dev/sda2 / ext4 rw 0 0\n/dev/sdb1 /mnt ext4 rw 0 0', /on a disk already \(\/dev\/sda2\)/, /MACHINE/],
  ['', /not started as a live system/, /--live/],
])('says why a system with “%s” cannot move, and what to do', (mounts, problem, hint) => {
  expect(liveProblemOf(mounts).problem).toMatch(problem);
  expect(liveProblemOf(mounts).hint).toMatch(hint);
});
