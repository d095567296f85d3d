import { expect, it } from 'vitest';
import { writableMounts } from './root-writers.ts';

it('knows which file systems with a disk can be written', () => {
  const table = [
    '/dev/mapper/imprint-root / ext4 rw,noatime 0 0',
    'tmpfs /run tmpfs rw,nosuid 0 0',
    '/dev/sr0 /media/cd iso9660 ro,nosuid 0 0',
    '/dev/sdb1 /media/my\\040stick vfat rw,nosuid,nodev 0 0',
    '',
  ].join('\n');
  expect(writableMounts(table)).toEqual(['/', '/media/my stick']);
  expect(writableMounts(table.replace('rw,noatime', 'ro,noatime'))).toEqual(['/media/my stick']);
});
