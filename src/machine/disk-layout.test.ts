import { describe, expect, it } from 'vitest';
import { layOutImage } from './disk-layout.ts';
import { planDiskMounts } from './disk-mounts.ts';
import { parseFstab } from './fstab-entries.ts';

const uuid = (digit: string) => `${digit.repeat(8)}-1111-4111-8111-${digit.repeat(12)}`;
const none = { fileSystems: [], disks: [] };
const lay = (fstab: string, facts: Parameters<typeof layOutImage>[1] = none, directories = true) =>
  layOutImage(
    parseFstab(fstab),
    facts,
    (role) => `made-for-${role}`,
    () => directories,
  );

describe('parseFstab', () => {
  it('knows every way to name a device', () => {
    const text = [
      '# comment',
      `UUID=${uuid('a')} / ext4 defaults 0 1`,
      'LABEL="with\\040space" /a ext4 ro',
      'PARTUUID=12345678-01 /b vfat',
      '/dev/disk/by-partlabel/homes /c/ ext4 nodev,noatime 0 2',
      '/dev/sda5 none swap sw 0 0',
      'server:/x /d nfs defaults',
      '/srv /e none bind',
      'half a',
    ].join('\n');
    expect(parseFstab(text).map(({ device, mountPoint }) => [device?.kind, device?.value, mountPoint])).toEqual([
      ['uuid', uuid('a'), '/'],
      ['label', 'with space', '/a'],
      ['partition-uuid', '12345678-01', '/b'],
      ['partition-label', 'homes', '/c'],
      ['path', '/dev/sda5', 'none'],
      [undefined, undefined, '/d'],
      [undefined, undefined, '/e'],
    ]);
  });
});

describe('layOutImage', () => {
  it('makes a root alone of no fstab at all', () => {
    expect(lay('')).toEqual({
      kind: 'layout',
      layout: {
        partitions: [
          {
            kind: 'root',
            uuid: 'made-for-root',
            partitionUuid: 'made-for-partition root',
            partitionName: 'root',
            mountPoint: '',
          },
        ],
        notes: [],
      },
    });
  });

  it('takes the root’s UUID from the golden machine where fstab does not say it', () => {
    const facts = {
      disks: [],
      fileSystems: [{ mountPoint: '/', type: 'xfs', device: '/dev/vda2', uuid: uuid('c'), captured: true }],
    };
    const answer = lay('/dev/vda2 / xfs defaults 0 0', facts);
    expect(answer).toMatchObject({
      layout: {
        partitions: [{ uuid: uuid('c') }],
        notes: [expect.stringContaining('xfs'), expect.stringContaining('/dev/vda2')],
      },
    });
  });

  it('gives each line its file system, the root last', () => {
    const fstab = [
      `UUID=${uuid('A')} / ext4 defaults`,
      'UUID=ABCD-1234 /boot/efi vfat umask=0077',
      `PARTUUID=${uuid('b')} /home ext4 defaults`,
      'LABEL=swapped none swap sw',
      'tmpfs /tmp tmpfs',
      '/dev/cdrom /media iso9660 noauto',
    ].join('\n');
    const answer = lay(fstab);
    expect(answer.kind === 'layout' && answer.layout.partitions).toMatchObject([
      { kind: 'fat', uuid: 'abcd1234', mountPoint: 'boot/efi', partitionName: 'boot/efi' },
      { kind: 'data', partitionUuid: uuid('b'), mountPoint: 'home' },
      { kind: 'swap', label: 'swapped', size: 2 ** 29 },
      { kind: 'root', uuid: uuid('a') },
    ]);
  });

  it.each([
    [`UUID=${uuid('a')} /home btrfs defaults`, 'only ext4 and FAT'],
    [
      `UUID=${uuid('a')} / btrfs subvol=@\nUUID=${uuid('a')} /home ext4 subvol=@home`,
      'several places from one file system',
    ],
    [`UUID=${uuid('a')} /home ext4\nUUID=${uuid('b')} /home ext4`, 'twice'],
  ])('refuses %j', (fstab, problem) => {
    expect(lay(fstab)).toMatchObject({ kind: 'refused', problem: expect.stringContaining(problem) });
  });

  it('says what it leaves out', () => {
    const answer = lay(`/dev/sdb1 /data ext4 defaults\nUUID=${uuid('a')} /old ext3 nofail`);
    expect(answer.kind === 'layout' && answer.layout.notes).toEqual([
      expect.stringContaining('/dev/sdb1'),
      expect.stringContaining('ext3'),
    ]);
    const missing = lay(`UUID=${uuid('a')} /gone ext4 defaults`, none, false);
    expect(missing.kind === 'layout' && missing.layout.notes).toEqual([expect.stringContaining('no directory')]);
  });
});

describe('planDiskMounts', () => {
  const partitions = [
    { number: 1, fileSystem: 'ext4', uuid: uuid('a'), label: 'one' },
    { number: 2, fileSystem: 'vfat', uuid: 'ABCD-1234', partitionUuid: uuid('b') },
    { number: 3, fileSystem: 'swap', uuid: uuid('c') },
    { number: 5, fileSystem: 'btrfs', uuid: uuid('d'), name: 'pool' },
  ];

  it('finds what fstab means, the ones above first', () => {
    const fstab = [
      `UUID=${uuid('a')} / ext4`,
      'UUID=abcd-1234 /boot/efi vfat umask=0077,noatime',
      '/dev/vda5 /srv btrfs subvol=@srv,compress=zstd',
      'LABEL=one /boot ext4',
      `UUID=${uuid('c')} none swap`,
      '/swap.img none swap sw',
      `UUID=${uuid('e')} /gone ext4`,
      '/dev/mapper/vg-lv /lv ext4',
      'PARTLABEL=pool /later btrfs noauto',
    ].join('\n');
    const plan = planDiskMounts(parseFstab(fstab), partitions);
    expect(plan.mounts.map(({ mountPoint, partition, options }) => [mountPoint, partition.number, options])).toEqual([
      ['srv', 5, ['subvol=@srv']],
      ['boot', 1, []],
      ['boot/efi', 2, ['umask=0077']],
    ]);
    expect(plan.missing).toEqual([expect.stringContaining('/gone'), expect.stringContaining('/lv')]);
    expect(plan.swapFiles).toEqual(['swap.img']);
  });
});
