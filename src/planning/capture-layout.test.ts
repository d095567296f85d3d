import { describe, expect, it } from 'vitest';
import { type Device, type GoldenAnswers, goldenFacts } from '../../tests/golden-machine.ts';
import { stackedGolden as golden, types } from '../../tests/stacked-golden-machine.ts';
import { layoutSchema } from '../contract/layout.ts';
import { parseLayout } from '../machine/layout-file.ts';
import { renderLayout } from '../machine/layout-yaml.ts';
import { captureLayout } from './capture-layout.ts';
import { layoutNeeds } from './layout-needs.ts';
import { solveLayout } from './solve-layout.ts';

const G = 1024 ** 3;
const captured = (answers: GoldenAnswers) => {
  const { layout, comments, head, warnings } = captureLayout(goldenFacts(answers));
  return { layout, text: renderLayout(layout, comments, head), warnings };
};

describe('captureLayout', () => {
  it('writes what a machine with all of it is, and says where each value came from', () => {
    expect(captured(golden).text).toMatchInlineSnapshot(`
      "# The disks of golden, Debian GNU/Linux 12 (bookworm), as an intent: docs/layouts.md says what every word means.
      # Sizes grow and shrink with the disks that it is laid on; look at what it means there: imprint layout solve FILE
      format: 1

      disks:
        # /dev/sda: 477 GiB, sata, GPT
        # /dev/sdb: 477 GiB, sata, GPT
        # erase: what an install may take there; Windows and all that is not named stays
        - name: main
          match: transport=sata
          count: 2
          erase: [linux, raid]
          partitions:
            # the golden machine has none: with it the disk starts on a BIOS, too
            - { name: bios, role: bios-boot }
            # /dev/sda1: 512 MiB, vfat on /boot/efi, 97.7 MiB in use
            - { name: esp, role: esp, size: 512M }
            # /dev/sda2: 1 GiB, ext4 on /boot, 97.7 MiB in use; it was an array (md0), here each disk gets its own copy
            - { name: boot, role: boot, size: 1G }
            # /dev/sda3: 199 GiB, RAID member
            - { name: system-part }
            # /dev/sda5: 195 GiB, Windows (ntfs “OS”): stays where it is, and is not made
            - { name: windows, role: foreign, kind: windows }
        # /dev/nvme0n1: 932 GiB, nvme, GPT
        # erase: what an install may take there; Windows and all that is not named stays
        - name: more
          match: transport=nvme
          erase: [linux]
          partitions:
            # /dev/nvme0n1p1: 932 GiB, xfs on /data, 381 GiB in use
            # keep: true, for it looks like data of the machine; without it each install makes it anew
            - name: data
              role: data
              keep: true
              fileSystem: { type: xfs, label: data, mount: /data, options: nofail }

      raids:
        # /dev/md1: 199 GiB
        - { name: system, level: 1, members: [system-part] }

      crypts:
        # /dev/mapper/cryptsys: LUKS 2, opened by crypttab (none)
        - { name: cryptsys, device: system, unlock: passphrase }

      volumeGroups:
        # 199 GiB, of which 141 GiB are free
        # max keeps that room free on larger disks, too; take it away, and the volumes grow
        - name: vg0
          physicalVolumes: [cryptsys]
          volumes:
            # /dev/vg0/root: 40 GiB, ext4 on /, 5.72 GiB in use
            - name: root
              role: root
              min: 8G
              max: 40G
              weight: 4
              fileSystem: { type: ext4, mount: /, options: "noatime,errors=remount-ro" }
            # /dev/vg0/var-log: 10 GiB, xfs on /var/log, 488 MiB in use
            - name: var-log
              role: data
              min: 768M
              max: 10G
              fileSystem: { type: xfs, mount: /var/log, options: nodev }
            # /dev/vg0/swap: 8 GiB, swap
            - { name: swap, role: swap, size: 8G }

      swap:
        # a file in use as swap
        - { file: /swapfile, size: 2G }
        # compressed memory: 8 GiB of 16 GiB
        - { zram: true, size: 50% }
      "
    `);
  });

  it('writes what is read as the same, and can be laid on other disks', () => {
    const { layout, text, warnings } = captured(golden);
    expect(parseLayout(text, 'golden.yaml')).toEqual(layout);
    expect(warnings).toEqual([]);
    const disk = (path: string, size: number, transport: string) => ({
      ...{
        path,
        size,
        transport,
        sectorSize: 512,
        removable: false,
        readOnly: false,
        content: 'empty',
        inUse: [],
        partitions: [],
      },
    });
    const facts = goldenFacts(golden);
    const answer = solveLayout({
      ...{ layout, firmware: 'uefi', machine: 'web01', reference: 'web:1' },
      needs: layoutNeeds(layout, { contentBytes: 6e9, entries: 100_000 }, facts.fileSystems),
      disks: [
        disk('/dev/nvme0n1', 256 * G, 'nvme'),
        disk('/dev/sda', 120 * G, 'sata'),
        disk('/dev/sdb', 120 * G, 'sata'),
      ],
    });
    if (answer.kind === 'refused') throw answer.error;
    expect(answer.solution.raids.map(({ members }) => members)).toEqual([['/dev/sda4', '/dev/sdb4']]);
    expect(answer.solution.mounts.map(({ mount }) => mount)).toEqual([
      '/',
      '/data',
      '/boot/efi',
      '/var/log',
      'none',
      'none',
    ]);
  });

  it.each([
    [
      'a plain disk with swap',
      {
        devices: [
          {
            ...{ name: 'vda', type: 'disk', mib: 20_480 },
            children: [
              { name: 'vda1', type: 'part', mib: 1, partType: types.bios },
              { name: 'vda2', type: 'part', mib: 18_000, fs: 'ext4', uuid: 'r', mount: '/' },
              { name: 'vda3', type: 'part', mib: 2_000, fs: 'swap', uuid: 's', mount: '[SWAP]' },
            ],
          },
        ],
        fstab: 'UUID=r / ext4 errors=remount-ro 0 1\nUUID=s none swap sw 0 0\n',
      },
      ['esp esp', 'boot boot', 'bios bios-boot', 'root root', 'swap swap'],
    ],
    [
      'an MBR with logical partitions',
      {
        ...{ table: 'dos', firmware: 'bios' },
        devices: [
          {
            ...{ name: 'sda', type: 'disk', mib: 100_000 },
            children: [
              { name: 'sda1', type: 'part', mib: 40_000, fs: 'ntfs', label: 'C', partType: '7' },
              { name: 'sda2', type: 'part', mib: 59_000, partType: '5' },
              { name: 'sda5', type: 'part', mib: 30_000, start: 40_002, fs: 'ext4', uuid: 'r', mount: '/' },
              {
                name: 'sda6',
                type: 'part',
                mib: 20_000,
                start: 70_003,
                fs: 'ext4',
                label: 'home',
                uuid: 'h',
                mount: '/home',
              },
              { name: 'sda7', type: 'part', mib: 2_000, start: 90_004, fs: 'ext4', label: 'spare' },
            ],
          },
        ],
        fstab: 'UUID=r / ext4 defaults 0 1\nUUID=h /home ext4 defaults 0 2\n',
      },
      ['bios bios-boot', 'esp esp', 'boot boot', 'windows foreign', 'root root', 'home home'],
    ],
    [
      'btrfs with subvolumes',
      {
        devices: [
          {
            ...{ name: 'nvme0n1', type: 'disk', mib: 400_000 },
            children: [
              { name: 'nvme0n1p1', type: 'part', mib: 300, fs: 'vfat', uuid: 'E', partType: types.esp, mount: '/efi' },
              { name: 'nvme0n1p2', type: 'part', mib: 399_000, fs: 'btrfs', uuid: 'b', mount: '/' },
            ],
          },
        ],
        fstab:
          'UUID=b / btrfs compress=zstd:1,subvol=@ 0 0\nUUID=b /home btrfs compress=zstd:1,subvol=/@home 0 0\nUUID=b /srv btrfs noatime,subvol=@srv 0 0\nUUID=E /efi vfat defaults 0 0\n',
      },
      ['bios bios-boot', 'boot boot', 'esp esp', 'root root'],
    ],
    [
      'a machine that Imprint installed with slots',
      {
        devices: [
          {
            ...{ name: 'sda', type: 'disk', mib: 60_000 },
            children: [
              { name: 'sda1', type: 'part', mib: 1, partType: types.bios },
              {
                name: 'sda2',
                type: 'part',
                mib: 512,
                fs: 'vfat',
                label: 'EFI-BOOT',
                uuid: 'E',
                partType: types.esp,
                mount: '/boot/efi',
              },
              { name: 'sda3', type: 'part', mib: 512, fs: 'ext4', label: 'IMPRINT-BOOT' },
              { name: 'sda4', type: 'part', mib: 29_000, fs: 'ext4', uuid: 'a', partLabel: 'system a', mount: '/' },
              { name: 'sda5', type: 'part', mib: 29_000, fs: 'ext4', uuid: 'b', partLabel: 'system b' },
            ],
          },
        ],
        fstab: 'UUID=a / ext4 defaults 0 1\nUUID=E /boot/efi vfat umask=0077,nofail 0 0\n',
      },
      ['bios bios-boot', 'esp esp', 'boot boot', 'a slot', 'b slot'],
    ],
  ] satisfies [string, GoldenAnswers, string[]][])('knows %s', (_what, answers, expected) => {
    const { layout, text } = captured(answers as GoldenAnswers);
    expect(layout.disks.flatMap(({ partitions }) => partitions.map(({ name, role }) => `${name} ${role}`))).toEqual(
      expected,
    );
    expect(parseLayout(text, 'x')).toEqual(layout);
  });
});

describe('what a layout cannot say', () => {
  const one = (children: Device[], more: Partial<GoldenAnswers> = {}) =>
    captured({ devices: [{ name: 'sda', type: 'disk', mib: 50_000, children }], ...more });

  it('is told: partitions that are mounted nowhere, arrays of the firmware, data without a name', () => {
    const { warnings } = one(
      [
        { name: 'sda1', type: 'part', mib: 20_000, fs: 'ext4', uuid: 'r', mount: '/' },
        { name: 'sda2', type: 'part', mib: 2_000, fs: 'ext4', label: 'old' },
        {
          name: 'sda3',
          type: 'part',
          mib: 9_000,
          fs: 'linux_raid_member',
          children: [{ name: 'md126', type: 'raid1', mib: 8_000 }],
        },
      ],
      { fstab: 'UUID=r / ext4 defaults 0 1\n', md: 'md md126 raid1 2 external:/md127/0 0\n' },
    );
    expect(warnings).toEqual([
      'the array md126 is one of the firmware (external:/md127/0), which layouts do not have',
      '/dev/sda2: 1.95 GiB (ext4 “old”) is mounted nowhere: the layout leaves it out',
      '/dev/sda3: 8.79 GiB (RAID member) is mounted nowhere: the layout leaves it out',
    ]);
    const mbr = one(
      [
        { name: 'sda1', type: 'part', mib: 20_000, fs: 'ext4', uuid: 'r', mount: '/' },
        { name: 'sda2', type: 'part', mib: 20_000, fs: 'ext4', uuid: 'd', mount: '/data' },
      ],
      { table: 'dos', fstab: 'UUID=r / ext4 defaults 0 1\nUUID=d /data ext4 defaults 0 2\n' },
    );
    expect(mbr.warnings[0]).toMatch(/sda2 .*has no label by which it could be kept/);
    expect(mbr.layout.disks[0]?.partitions.some(({ keep }) => keep !== undefined)).toBe(false);
  });

  it('is told of records that were made before storage was', () => {
    const { storage: _none, ...older } = goldenFacts(golden);
    const { warnings, layout } = captureLayout(older);
    expect(warnings.join('\n')).toMatch(/of an older capture/);
    expect(
      layout.disks.some(({ partitions }) => partitions.some(({ fileSystem }) => fileSystem?.mount === '/data')),
    ).toBe(true);
  });

  it('takes volumes from the mapper where LVM could not be asked', () => {
    const { lvm: _none, ...rest } = golden;
    expect(captured(rest).layout.volumeGroups[0]?.volumes.map(({ name }) => name)).toEqual(['root', 'var-log', 'swap']);
  });

  it('makes one partition of a disk that is a physical volume itself', () => {
    const home: Device = { name: 'vg1-home', type: 'lvm', mib: 90_000, fs: 'ext4', uuid: 'h', mount: '/home' };
    const { layout } = captured({
      devices: [
        {
          name: 'sda',
          type: 'disk',
          mib: 50_000,
          children: [{ name: 'sda1', type: 'part', mib: 49_000, fs: 'ext4', uuid: 'r', mount: '/' }],
        },
        { name: 'sdb', type: 'disk', mib: 100_000, fs: 'LVM2_member', children: [home] },
      ],
      fstab: 'UUID=r / ext4 defaults 0 1\nUUID=h /home ext4 defaults 0 2\n',
    });
    expect(layout.volumeGroups[0]?.physicalVolumes).toEqual(['vg1-part']);
    expect(layout.disks.map(({ match, erase }) => [match, erase])).toEqual([
      ['smallest', ['linux']],
      ['largest', ['linux', 'lvm']],
    ]);
    expect(layoutSchema.safeParse(layout).success).toBe(true);
  });
});
