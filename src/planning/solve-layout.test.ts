import { describe, expect, it } from 'vitest';
import {
  data,
  disk,
  G,
  type Given,
  kept,
  M,
  mirror,
  one,
  root,
  shared,
  solution,
  tables,
  there,
  types,
  usual,
  windows,
} from '../../tests/solved-layout.ts';

const solved: [what: string, given: Given, expected: string[]][] = [
  [
    'an empty disk',
    { layout: one(root), disks: [disk('/dev/sda', 20 * G)] },
    [`/dev/sda gpt ${usual} 4:root@1026+19453`],
  ],
  [
    'a larger one',
    { layout: one(root), disks: [disk('/dev/sda', 2000 * G)] },
    [`/dev/sda gpt ${usual} 4:root@1026+2046973`],
  ],
  [
    'a small one, whose boot partitions are small, too',
    { layout: one(root), disks: [disk('/dev/sda', 5 * G)] },
    ['/dev/sda gpt 1:bios@1+1 2:esp@2+256 3:boot@258+256 4:root@514+4605'],
  ],
  [
    'sectors of 4096 bytes',
    { layout: one(root), disks: [disk('/dev/sda', 20 * G, { sectorSize: 4096 })] },
    [`/dev/sda gpt ${usual} 4:root@1026+19453`],
  ],
  [
    'NVMe',
    { layout: one(root), disks: [disk('/dev/nvme0n1', 20 * G)] },
    [`/dev/nvme0n1 gpt ${usual} 4:root@1026+19453`],
  ],
  ['virtio', { layout: one(root), disks: [disk('/dev/vda', 20 * G)] }, [`/dev/vda gpt ${usual} 4:root@1026+19453`]],
  [
    'shares by weight',
    { layout: one(`${root}, ${data}`), disks: [disk('/dev/sda', 100 * G)] },
    [`/dev/sda gpt ${usual} 4:root@1026+25343 5:data@26369+76029`],
  ],
  [
    'a minimum above its share',
    { layout: one(`${root}, ${data}`), disks: [disk('/dev/sda', 10 * G)] },
    ['/dev/sda gpt 1:bios@1+1 2:esp@2+256 3:boot@258+512 4:root@770+4096 5:data@4866+5373'],
  ],
  [
    'a maximum',
    { layout: one(`${root.replace('4G', '4G, max: 10G')}, ${data}`), disks: [disk('/dev/sda', 100 * G)] },
    [`/dev/sda gpt ${usual} 4:root@1026+10240 5:data@11266+91133`],
  ],
  [
    'nothing that grows',
    {
      layout: one('{ name: root, role: root, size: 8G }, { name: swap, role: swap, size: 2G }'),
      disks: [disk('/dev/sda', 100 * G)],
    },
    [`/dev/sda gpt ${usual} 4:root@1026+8192 5:swap@9218+2048`],
  ],
  [
    'weight 0',
    { layout: one(`{ name: root, role: root, min: 8G, weight: 0 }, ${data}`), disks: [disk('/dev/sda', 20 * G)] },
    [`/dev/sda gpt ${usual} 4:root@1026+8192 5:data@9218+11261`],
  ],
  [
    'a disk smaller than the golden one, down to what the content needs',
    { layout: one('{ name: root, role: root }'), disks: [disk('/dev/sda', 6 * G)], needs: { system: 5 * G } },
    ['/dev/sda gpt 1:bios@1+1 2:esp@2+256 3:boot@258+512 4:root@770+5373'],
  ],
  [
    'a mount point with content of its own',
    {
      layout: one(`${root}, ${data.replace(', weight: 3', ', weight: 0')}`),
      disks: [disk('/dev/sda', 20 * G)],
      needs: { mounts: new Map([['/data', 7 * G]]) },
    },
    [`/dev/sda gpt ${usual} 4:root@1026+12285 5:data@13311+7168`],
  ],
  [
    'three systems, one swap, a share',
    {
      layout: one(
        '{ name: a, role: slot }, { name: b, role: slot }, { name: c, role: slot }, { name: swap, role: swap, size: 1G }, { name: share, role: share, weight: 3 }',
      ),
      disks: [disk('/dev/sda', 64 * G)],
      needs: { system: 4 * G },
    },
    [`/dev/sda gpt ${usual} 4:a@1026+10580 5:b@11606+10580 6:c@22186+10580 7:swap@32766+1024 8:share@33790+31742`],
  ],
  [
    'Windows beside, its EFI system partition shared',
    { layout: one(root, ', erase: [linux]'), disks: [there('gpt', '/dev/sda', 100 * G, ...windows)] },
    [
      '/dev/sda gpt kept 1:=esp@1+100 2:=other@101+16 3:=other@117+40000 4:=other@40117+700 5:bios@40817+1 6:boot@40818+512 7:root@41330+61069',
    ],
  ],
  [
    'an old Linux beside Windows',
    {
      layout: one(root, ', erase: [linux]'),
      disks: [
        there('gpt', '/dev/sda', 100 * G, ...windows, '5 linux 40817+30000 ext4 old', '6 linux 70817+30000 btrfs'),
      ],
    },
    [
      '/dev/sda gpt kept 1:=esp@1+100 2:=other@101+16 3:=other@117+40000 4:=other@40117+700 5:bios@40817+1 6:boot@40818+512 7:root@41330+61069',
    ],
  ],
  [
    'Windows that is named',
    { layout: one(root, ', erase: [windows, recovery, esp]'), disks: [there('gpt', '/dev/sda', 60 * G, ...windows)] },
    [`/dev/sda gpt ${usual} 4:root@1026+60413`],
  ],
  [
    'Windows that is foreign, though all else may go',
    {
      layout: one(`{ name: win, role: foreign, kind: windows }, ${root}`, ', erase: all'),
      disks: [there('gpt', '/dev/sda', 100 * G, ...windows, '5 linux 40817+30000 ext4 old')],
    },
    [
      '/dev/sda gpt kept 1:bios@1+1 2:=other@101+16 3:=win@117+40000 4:esp@40117+512 5:boot@40629+512 6:root@41141+61258',
    ],
  ],
  [
    'a gap in front that is large enough for the boot partitions',
    { layout: one(root), disks: [there('gpt', '/dev/sda', 60 * G, '1 basic 2000+30000 ntfs')] },
    ['/dev/sda gpt kept 2:bios@1+1 3:esp@2+512 4:boot@514+512 1:=other@2000+30000 5:root@32000+29439'],
  ],
  [
    'two gaps, both of which are used',
    { layout: one(`${root}, ${data}`), disks: [there('gpt', '/dev/sda', 100 * G, '7 basic 12000+30000 ntfs')] },
    [
      '/dev/sda gpt kept 1:bios@1+1 2:esp@2+512 3:boot@514+512 4:root@1026+10974 7:=other@12000+30000 5:data@42000+60399',
    ],
  ],
  [
    'data that survives a reinstall',
    {
      layout: one(`${root}, ${kept}`, ', erase: [linux]'),
      disks: [
        there(
          'gpt',
          '/dev/sda',
          100 * G,
          '1 bios 1+1',
          '2 esp 2+512 vfat EFI-BOOT',
          '3 linux 514+512 ext4 IMPRINT-BOOT',
          '4 linux 1026+25343 ext4',
          '5 linux 26369+76030 xfs data',
        ),
      ],
    },
    ['/dev/sda gpt kept 1:bios@1+1 2:esp@2+512 3:boot@514+512 4:root@1026+25343 5:=data@26369+76030'],
  ],
  [
    'data that survives though all may go',
    {
      layout: one(`${root}, ${kept}`, ', erase: all'),
      disks: [
        there(
          'gpt',
          '/dev/sda',
          100 * G,
          '1 linux 1+30000 ext4',
          '5 linux 30001+40000 xfs data',
          '6 linux 70001+30000 ext4',
        ),
      ],
    },
    ['/dev/sda gpt kept 1:bios@1+1 2:esp@2+512 3:boot@514+512 5:=data@30001+40000 4:root@70001+32398'],
  ],
  [
    'data at the front of the disk',
    {
      layout: one(`${root}, ${kept}`, ', erase: [linux]'),
      disks: [there('gpt', '/dev/sda', 50 * G, '2 linux 1+20000 xfs data', '1 linux 20001+31198 ext4')],
    },
    ['/dev/sda gpt kept 2:=data@1+20000 1:bios@20001+1 3:esp@20002+512 4:boot@20514+512 5:root@21026+30173'],
  ],
  [
    'data in an odd place',
    {
      layout: one(`${root}, ${kept}`),
      disks: [
        {
          ...there('gpt', '/dev/sda', 50 * G, '1 linux 20000+20000 xfs data'),
          partitions: [
            {
              number: 1,
              path: '/dev/sda1',
              start: 63 * 512,
              size: 20000 * M,
              type: types.linux ?? '',
              content: { type: 'xfs', label: 'data' },
            },
          ],
        },
      ],
    },
    [
      '/dev/sda gpt kept 1:=data@0.03076171875+20000 2:bios@20001+1 3:esp@20002+512 4:boot@20514+512 5:root@21026+30173',
    ],
  ],
  [
    'data that is not there yet',
    { layout: one(`${root}, ${kept}`, ', erase: [linux]'), disks: [disk('/dev/sda', 100 * G)] },
    [`/dev/sda gpt ${usual} 4:root@1026+25343 5:data@26369+76029`],
  ],
  [
    'data that is found by its number',
    {
      layout: one(`${root}, ${data.replace('min: 2G', 'keep: number=2')}`, ', erase: [linux]'),
      disks: [there('gpt', '/dev/sda', 50 * G, '1 linux 1+20000 xfs', '2 linux 20001+31198 xfs')],
    },
    ['/dev/sda gpt kept 1:bios@1+1 3:esp@2+512 4:boot@514+512 5:root@1026+18975 2:=data@20001+31198'],
  ],
  [
    'data without a label, by its name in the table',
    {
      layout: one(
        `${root}, { name: pool, role: data, keep: true, fileSystem: { type: ext4, mount: /pool } }`,
        ', erase: [linux]',
      ),
      disks: [
        (() => {
          const facts = there('gpt', '/dev/sda', 50 * G, '1 linux 1+20000 ext4', '2 linux 20001+31198 ext4');
          for (const each of facts.partitions ?? []) Object.assign(each, { name: ['root', 'pool'][each.number - 1] });
          return facts;
        })(),
      ],
    },
    ['/dev/sda gpt kept 1:bios@1+1 3:esp@2+512 4:boot@514+512 5:root@1026+18975 2:=pool@20001+31198'],
  ],
  [
    'a named partition that may go',
    {
      layout: one(root, ", erase: ['label=OLD']"),
      disks: [there('gpt', '/dev/sda', 50 * G, '1 linux 1+20000 ext4 keepme', '2 linux 20001+31198 ext4 OLD')],
    },
    ['/dev/sda gpt kept 1:=other@1+20000 2:bios@20001+1 3:esp@20002+512 4:boot@20514+512 5:root@21026+30173'],
  ],
  [
    'a maker’s partition, which stays',
    {
      layout: one(root, ', erase: [windows, linux]'),
      disks: [there('gpt', '/dev/sda', 50 * G, '1 basic 1+2000 vfat HP_TOOLS', '2 basic 2001+40000 ntfs')],
    },
    ['/dev/sda gpt kept 1:=other@1+2000 2:bios@2001+1 3:esp@2002+512 4:boot@2514+512 5:root@3026+48173'],
  ],
  [
    'a small EFI system partition that is full',
    {
      layout: one(root, ', erase: [linux]'),
      disks: [
        (() => {
          const facts = there('gpt', '/dev/sda', 50 * G, '1 esp 1+100 vfat SYSTEM', '2 basic 101+20000 ntfs');
          Object.assign(facts.partitions?.[0]?.content ?? {}, { used: 99 * M });
          return facts;
        })(),
      ],
    },
    [
      '/dev/sda gpt kept 1:=other@1+100 2:=other@101+20000 3:bios@20101+1 4:esp@20102+512 5:boot@20614+512 6:root@21126+30073',
    ],
  ],
  [
    'an empty table',
    { layout: one(root), disks: [there('mbr', '/dev/sda', 20 * G)] },
    [`/dev/sda gpt ${usual} 4:root@1026+19453`],
  ],
  [
    'a disk that was a whole file system',
    { layout: one(root, ', erase: [linux]'), disks: [disk('/dev/sda', 20 * G, { whole: { type: 'ext4' } })] },
    [`/dev/sda gpt ${usual} 4:root@1026+19453`],
  ],
  [
    'facts of an older agent, where all may go',
    {
      layout: one(root, ', erase: all'),
      disks: [(({ partitions: _none, ...facts }) => facts)(disk('/dev/sda', 20 * G, { content: 'gpt: 2 partitions' }))],
    },
    [`/dev/sda gpt ${usual} 4:root@1026+19453`],
  ],
];

describe('solveLayout', () => {
  it.each(solved)('lays out %s', (_what, given, expected) => {
    expect(tables(given)).toEqual(expected);
  });

  it('counts every byte that would be lost, and names what it was', () => {
    const facts = there('gpt', '/dev/sda', 100 * G, ...windows, '5 linux 40817+30000 ext4 old');
    Object.assign(facts.partitions?.[4]?.content ?? {}, { used: 12 * G });
    const lost = (erase: string) => solution({ layout: one(root, `, erase: ${erase}`), disks: [facts] }).lost;
    expect(lost('[linux]')).toEqual([
      { disk: '/dev/sda', path: '/dev/sda5', what: 'ext4 “old”', kind: 'linux', bytes: 30000 * M, used: 12 * G },
    ]);
    expect(lost('all').map(({ path, what, bytes }) => `${path} ${what} ${bytes / M}`)).toEqual([
      '/dev/sda1 EFI system (vfat “SYSTEM”) 100',
      '/dev/sda2 Windows (Microsoft reserved) 16',
      '/dev/sda3 Windows (ntfs “OS”) 40000',
      '/dev/sda4 recovery (ntfs) 700',
      '/dev/sda5 ext4 “old” 30000',
    ]);
    expect(
      solution({
        layout: one(root, ', erase: shared, match: smallest').replace('erase: shared', 'erase: [all, shared]'),
        disks: shared(),
      }).lost,
    ).toMatchObject([{ path: '/dev/sda1', what: 'LVM physical volume of volume group vgdata', bytes: 10000 * M }]);
    const unknown = (({ partitions: _none, ...older }) => older)(
      disk('/dev/sda', 20 * G, { content: 'gpt: 2 partitions' }),
    );
    expect(solution({ layout: one(root, ', erase: all'), disks: [unknown] }).lost).toEqual([
      { disk: '/dev/sda', path: '/dev/sda', what: 'gpt: 2 partitions', kind: 'unknown', bytes: 20 * G },
    ]);
  });

  it('mounts everything where it belongs', () => {
    const subvolumes =
      "subvolumes: [{ name: '@', mount: / }, { name: '@home', mount: /home, options: noatime }, { name: '@snapshots' }]";
    const layout = `${one(`{ name: root, role: root, fileSystem: { type: btrfs, options: compress=zstd, ${subvolumes} } }, ${kept}, { name: sw, role: swap, size: 1G }`)}\nswap: [{ file: /swapfile, size: 1G }]`;
    const { mounts } = solution({ layout, disks: [disk('/dev/sda', 40 * G)] });
    expect(
      mounts.map(({ device, mount, type, options, subvolume }) =>
        [device, mount, type, options, subvolume].filter(Boolean).join(' '),
      ),
    ).toEqual([
      '/dev/sda4 / btrfs compress=zstd @',
      '/dev/sda5 /data xfs defaults',
      '/dev/sda4 /home btrfs noatime @home',
      '/dev/sda2 /boot/efi vfat umask=0077,nofail',
      '/dev/sda6 none swap sw',
      '/swapfile none swap sw',
    ]);
    const copies = solution({
      layout: mirror('2'),
      disks: [disk('/dev/sda', 20 * G), disk('/dev/sdb', 20 * G)],
    }).mounts;
    expect(copies.map(({ device, mount }) => `${device} ${mount}`)).toEqual([
      '/dev/md/system /',
      '/dev/sda2 /boot/efi',
    ]);
  });

  it('says what is not as the layout has it', () => {
    const notes = (given: Given) => solution(given).notes;
    expect(notes({ layout: one(`${root}, ${kept}`), disks: [disk('/dev/sda', 40 * G)] })).toEqual([
      'data is not on /dev/sda yet: it is made, and kept from then on',
    ]);
    expect(notes({ layout: mirror('1-2'), disks: [disk('/dev/sda', 20 * G)] })).toEqual([
      'the RAID system is made with 1 of 2 members: the others can be added later',
    ]);
    expect(notes({ layout: one(root), disks: [there('gpt', '/dev/sda', 100 * G, ...windows)] })).toEqual([
      'the EFI system partition /dev/sda1 stays and is shared with what boots from it now',
    ]);
  });
});
