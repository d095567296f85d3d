import { describe, expect, it } from 'vitest';
import { type RawPath, rawPath } from '../foundation/brand.ts';
import { parseMountInfo, planMounts, reasonToLeaveOut } from './mounts.ts';

const debian = `
22 27 0:21 / /proc rw,relatime - proc proc rw
23 27 0:22 / /sys rw,relatime - sysfs sysfs rw
24 27 0:6 / /dev rw,relatime - devtmpfs udev rw,mode=755
25 24 0:24 / /dev/pts rw,relatime - devpts devpts rw
26 27 0:25 / /run rw,nosuid - tmpfs tmpfs rw,size=10%
27 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro
28 27 254:15 / /boot/efi rw,relatime - vfat /dev/vda15 rw
29 27 254:32 / /srv/with\\040space rw - xfs /dev/vdc rw
30 27 254:1 /srv/data /home/data rw - ext4 /dev/vda1 rw
31 27 0:50 / /mnt/nfs rw - nfs4 server:/export rw
32 27 7:0 / /snap/core/1 ro - squashfs /dev/loop0 ro
33 26 8:17 / /run/media/stick rw - vfat /dev/sdb1 rw
34 22 0:40 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw
35 27 0:60 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw
36 27 0:61 / /mnt/ssh rw - fuse.sshfs user@host: rw
37 27 0:62 / /mnt/windows rw - fuseblk /dev/sda1 rw
`;

function plan(text: string, root = '/', oneFileSystem = false) {
  const { captured, leftOut } = planMounts(parseMountInfo(text), rawPath(root), oneFileSystem);
  return {
    captured: captured.map(({ mountPoint }) => mountPoint as string),
    leftOut: Object.fromEntries(leftOut.map(({ mount, reason }) => [mount.mountPoint, reason])),
  };
}

describe('parseMountInfo', () => {
  it('undoes the kernel’s escapes and finds the type behind any number of optional fields', () => {
    const mounts = parseMountInfo(debian);
    expect(mounts).toHaveLength(16);
    expect(mounts.find(({ type }) => type === 'xfs')?.mountPoint).toBe('/srv/with space');
    expect(mounts.find(({ mountPoint }) => mountPoint === '/')).toMatchObject({ type: 'ext4', source: '/dev/vda1' });
  });

  it('keeps the bytes of names that are not UTF-8', () => {
    const [mount] = parseMountInfo('1 2 8:1 / /\xff\\134 rw - ext4 /dev/sda1 rw');
    expect(mount?.mountPoint).toBe('/\xff\\' as RawPath);
  });
});

describe('planMounts', () => {
  it('takes local file systems once and leaves out what holds nothing of the machine', () => {
    const { captured, leftOut } = plan(debian);
    expect(captured.sort()).toEqual(['/boot/efi', '/mnt/windows', '/srv/with space']);
    expect(leftOut).toEqual({
      '/proc': 'kernel',
      '/sys': 'kernel',
      '/dev': 'kernel',
      '/run': 'memory',
      '/home/data': 'twice',
      '/mnt/nfs': 'network',
      '/snap/core/1': 'medium',
      '/var/lib/docker/overlay2/x/merged': 'container',
      '/mnt/ssh': 'network',
    });
  });

  it('takes btrfs subvolumes each, but not the whole that shows them again', () => {
    const btrfs = `
      1 0 0:30 /@ / rw - btrfs /dev/sda2 rw
      2 1 0:30 /@home /home rw - btrfs /dev/sda2 rw
      3 1 0:30 / /mnt/top rw - btrfs /dev/sda2 rw`.replaceAll(/^ +/gm, '');
    expect(plan(btrfs)).toEqual({ captured: ['/home'], leftOut: { '/mnt/top': 'twice' } });
  });

  it('takes where most is seen, of two views of one file system', () => {
    const views =
      '1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 /www /srv rw - ext4 /dev/sdb rw\n3 1 8:2 / /data rw - ext4 /dev/sdb rw';
    expect(plan(views)).toEqual({ captured: ['/data'], leftOut: { '/srv': 'twice' } });
  });

  it('knows which mounts lie below a directory, and what another mount there hides', () => {
    expect(plan(debian, '/srv')).toEqual({ captured: ['/srv/with space'], leftOut: {} });
    expect(plan(debian, '/boot/efi')).toEqual({ captured: [], leftOut: {} });
    const stacked =
      '1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /data rw - ext4 /dev/sdb rw\n3 2 0:9 / /data rw - tmpfs t rw';
    expect(plan(stacked)).toEqual({ captured: [], leftOut: { '/data': 'memory' } });
  });

  it('leaves out every other file system when told to', () => {
    expect(plan('1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /data rw - ext4 /dev/sdb rw', '/', true)).toEqual({
      captured: [],
      leftOut: { '/data': 'other-file-system' },
    });
  });

  it('takes the root whatever it lies on', () => {
    const live = parseMountInfo('1 0 0:9 / / rw - overlay overlay rw');
    expect(planMounts(live, rawPath('/')).root?.type).toBe('overlay');
  });
});

it('takes a kind of file system that it does not know only where it lies on a device', () => {
  expect(reasonToLeaveOut({ type: 'newfs', source: '/dev/sda1' as RawPath })).toBeUndefined();
  expect(reasonToLeaveOut({ type: 'newfs', source: 'newfs' as RawPath })).toBe('kernel');
  expect(reasonToLeaveOut({ type: 'fuse.new', source: 'new' as RawPath })).toBe('network');
});
