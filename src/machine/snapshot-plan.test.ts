import { describe, expect, it } from 'vitest';
import type { RawPath } from '../foundation/brand.ts';
import { parseMountInfo, planMounts } from './mounts.ts';
import { hasSnapshots, planSnapshots } from './snapshot-plan.ts';

const tools = 'unshare setsid mkfifo stat btrfs lvcreate fsfreeze losetup flock timeout'.split(' ').join('\n');
const gibibyte = 1 << 30;

function plan(mountinfo: string[], answers: Record<string, string> = {}, root = '/') {
  const mounts = parseMountInfo(mountinfo.map((line, index) => `${index + 20} 1 ${line}`).join('\n'));
  const all = new Map(Object.entries({ 'snapshot-tools': tools, ...answers }));
  return planSnapshots(all, mounts, planMounts(mounts, root as RawPath));
}

const short = (steps: ReturnType<typeof plan>) =>
  steps.map(({ mount, method, reason, size }) => [mount.mountPoint, method, reason ?? size]);

describe('planSnapshots', () => {
  it('takes btrfs as it is mounted, one snapshot for each subvolume', () => {
    const steps = plan([
      '0:30 /@rootfs / rw - btrfs /dev/vda2 rw',
      '0:30 /@home /home rw - btrfs /dev/vda2 rw',
      '0:30 /@x /home/x rw - btrfs /dev/vda2 rw',
      '254:1 / /boot/efi rw - vfat /dev/vda1 rw',
      '0:5 / /proc rw - proc proc rw',
    ]);
    expect(short(steps)).toEqual([
      ['/', 'btrfs', undefined],
      ['/home', 'btrfs', undefined],
      ['/home/x', 'btrfs', undefined],
      ['/boot/efi', 'live', 'vfat on /dev/vda1, which is no logical volume'],
    ]);
    expect(steps.map(({ place }) => place)).toEqual(['', 'home', 'home/x', 'boot/efi']);
    expect(hasSnapshots(steps)).toBe(true);
  });

  it('gives LVM snapshots a fifth of their volumes, or their share of what is free', () => {
    const lvs = (free: number) =>
      [
        `  vg|root|253|0|${20 * gibibyte}|${free}|4194304|-wi-ao----|`,
        `  vg|var|253|1|${10 * gibibyte}|${free}|4194304|owi-ao----|`,
        `  vg|thin|253|5|${4 * gibibyte}|${free}|4194304|Vwi-aotz--|pool`,
        `  vg|[pool]|253|4|${4 * gibibyte}|${free}|4194304|twi-aotz--|`,
      ].join('\n');
    const mounts = [
      '253:0 / / rw - ext4 /dev/mapper/vg-root rw',
      '253:1 / /var rw - xfs /dev/mapper/vg-var rw',
      '253:5 / /srv rw - ext4 /dev/mapper/vg-thin rw',
    ];
    expect(short(plan(mounts, { lvs: lvs(100 * gibibyte) }))).toEqual([
      ['/', 'lvm', 4 * gibibyte],
      ['/var', 'lvm', 2 * gibibyte],
      ['/srv', 'lvm-thin', undefined],
    ]);
    expect(short(plan(mounts, { lvs: lvs(3 * gibibyte) }))[1]).toEqual(['/var', 'lvm', gibibyte]);
    expect(short(plan(mounts, { lvs: lvs(0) }))[0]).toEqual(['/', 'live', 'its volume group vg has only 0 MiB free']);
    expect(short(plan(mounts, { lvs: '' }))[0]?.[1]).toBe('live');
  });

  it('never makes an LVM snapshot of btrfs: two file systems of one identity would meet', () => {
    const lvs = `vg|root|253|0|${gibibyte}|${gibibyte}|4194304|-wi-ao----|`;
    expect(short(plan(['0:30 / / rw - btrfs /dev/mapper/vg-root rw'], { lvs }))[0]?.[1]).toBe('btrfs');
  });

  it('copies a root in a file where the file system below can share blocks', () => {
    const mounts = (type: string) => [
      '7:0 / / rw - ext4 /dev/loop0 rw',
      `254:2 / /hostpart rw - ${type} /dev/vda2 rw`,
      '0:22 / /run rw - tmpfs tmpfs rw',
    ];
    const loops = '7:0 0 /hostpart/hn-root.img';
    expect(plan(mounts('xfs'), { loops })[0]).toMatchObject({ method: 'frozen-copy', source: '/hostpart/hn-root.img' });
    expect(plan(mounts('ext4'), { loops })[0]).toMatchObject({ method: 'live' });
    expect(plan(mounts('xfs').slice(0, 2), { loops })[0]).toMatchObject({ method: 'live', reason: '/run lies on it' });
    expect(plan(mounts('xfs'), { loops: '7:0 1048576 /hostpart/disk.img' })[0]).toMatchObject({ method: 'live' });
  });

  it('leaves alone what cannot change, and a machine that lacks the tools', () => {
    const mounts = ['0:30 / / ro,relatime - btrfs /dev/vda2 ro'];
    expect(short(plan(mounts))).toEqual([['/', 'still', undefined]]);
    expect(hasSnapshots(plan(mounts))).toBe(false);
    const rw = ['0:30 / / rw - btrfs /dev/vda2 rw'];
    expect(short(plan(rw, { 'snapshot-tools': 'stat' }))[0]).toEqual([
      '/',
      'live',
      'the tool unshare is missing there',
    ]);
    expect(planSnapshots(new Map(), [], { root: undefined, captured: [], leftOut: [] })).toEqual([]);
  });

  it('snapshots the whole file system for a directory of it', () => {
    const steps = plan(['0:30 /@ / rw - btrfs /dev/vda2 rw', '0:31 / /srv rw - btrfs /dev/vdb rw'], {}, '/srv/www');
    expect(steps).toMatchObject([{ method: 'btrfs', source: '/dev/vdb', place: '', mount: { root: '/' } }]);
  });
});
