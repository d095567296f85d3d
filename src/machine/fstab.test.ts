import { expect, it } from 'vitest';
import { keptMountPoints, renderFstab } from './fstab.ts';

const mounts = { root: { uuid: 'r-1', type: 'ext4' }, esp: 'ABCD-1234' } as const;
const golden = `# /etc/fstab: static file system information.
UUID=old-root /               ext4    errors=remount-ro,noatime 0       1
UUID=AAAA-BBBB  /boot/efi       vfat    umask=0077      0       1
UUID=old-swap none            swap    sw              0       0
/dev/mapper/vg-home /home xfs defaults 0 2

tmpfs /tmp tmpfs size=2G 0 0
nas:/export /srv nfs4 _netdev 0 0
/srv/www /var/www none bind 0 0
/dev/sr0 /media/cdrom0 udf,iso9660 user,noauto 0 0
`;

it('replaces the golden machine’s disks and keeps the rest', () => {
  expect(renderFstab(golden, { ...mounts, swap: 's-1' })).toBe(`# Written by Imprint for this machine.
UUID=r-1\t/\text4\terrors=remount-ro,noatime\t0 1
UUID=ABCD-1234\t/boot/efi\tvfat\tumask=0077,nofail\t0 0
UUID=s-1\tnone\tswap\tsw\t0 0

# From the image.
# /etc/fstab: static file system information.
#(golden machine) UUID=old-root /               ext4    errors=remount-ro,noatime 0       1
#(golden machine) UUID=AAAA-BBBB  /boot/efi       vfat    umask=0077      0       1
#(golden machine) UUID=old-swap none            swap    sw              0       0
#(golden machine) /dev/mapper/vg-home /home xfs defaults 0 2

tmpfs /tmp tmpfs size=2G 0 0
nas:/export /srv nfs4 _netdev 0 0
/srv/www /var/www none bind 0 0
/dev/sr0 /media/cdrom0 udf,iso9660 user,noauto 0 0
`);
});

it('does not keep options of another type of file system, nor subvolumes', () => {
  expect(renderFstab(golden, { ...mounts, root: { uuid: 'r', type: 'xfs' } })).toContain(
    'UUID=r\t/\txfs\tdefaults\t0 0',
  );
  const subvolume = 'UUID=x / btrfs compress=zstd,subvol=@ 0 0\n';
  expect(renderFstab(subvolume, { ...mounts, root: { uuid: 'r', type: 'btrfs' } })).toContain(
    'UUID=r\t/\tbtrfs\tcompress=zstd\t0 0',
  );
});

it('does not pile up over generations, and takes an empty fstab', () => {
  expect(renderFstab('', mounts)).toBe(
    '# Written by Imprint for this machine.\nUUID=r-1\t/\text4\tdefaults\t0 1\nUUID=ABCD-1234\t/boot/efi\tvfat\tumask=0077,nofail\t0 0\n',
  );
  const once = renderFstab(golden, mounts);
  const twice = renderFstab(once, { ...mounts, esp: '0000-0000' });
  expect(twice.match(/From the image/g)).toHaveLength(1);
  expect(twice.match(/Written by Imprint/g)).toHaveLength(1);
  expect(twice.match(/tmpfs \/tmp/g)).toHaveLength(1);
  expect(twice).not.toContain('old-root');
});

it('knows the mount points that stay', () => {
  expect(keptMountPoints(golden)).toEqual(['/tmp', '/srv', '/var/www', '/media/cdrom0']);
});

it('mounts what all systems of a machine share, each of them once', () => {
  const shared = [
    { source: '/share/tmp', mount: '/tmp', type: 'bind' },
    { source: 'files:/home', mount: '/home', type: 'nfs', options: 'soft' },
  ] as const;
  const data = [{ uuid: 'd-1', mount: '/share', type: 'ext4', options: 'defaults' }];
  const written = renderFstab(golden, { ...mounts, data, shared });
  expect(written).toContain(`UUID=d-1\t/share\text4\tdefaults\t0 2
/share/tmp\t/tmp\tnone\tbind,x-systemd.requires-mounts-for=/share/tmp,x-imprint.shared\t0 0
files:/home\t/home\tnfs\t_netdev,nofail,x-imprint.shared,soft\t0 0
`);
  // Instead of the image's own, and neither piled up nor left behind on a machine that shares nothing.
  expect(written).toContain('#(golden machine) tmpfs /tmp tmpfs size=2G 0 0');
  expect(written).toContain('\n/srv/www /var/www none bind 0 0');
  expect(renderFstab(written, { ...mounts, data, shared }).match(/^\/share\/tmp/gm)).toHaveLength(1);
  expect(renderFstab(written, mounts)).not.toMatch(/^(\/share|files:)/m);
});
