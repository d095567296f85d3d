import { expect, it } from 'vitest';
import {
  array,
  boot,
  bunch,
  data,
  disk,
  G,
  type Given,
  M,
  mirror,
  one,
  root,
  solution,
  stacked,
  tables,
  usual,
} from '../../tests/solved-layout.ts';

const several: [what: string, given: Given, expected: string[]][] = [
  [
    'a second disk by its rule',
    {
      layout: `disks: [{ name: s, match: smallest, partitions: [${boot}, ${root}] }, { name: b, match: only, partitions: [${data}] }]`,
      disks: [disk('/dev/sda', 500 * G), disk('/dev/nvme0n1', 20 * G)],
    },
    [`/dev/nvme0n1 gpt ${usual} 4:root@1026+19453`, '/dev/sda gpt 1:data@1+511998'],
  ],
  [
    'a mirror of two',
    { layout: mirror('2'), disks: [disk('/dev/sda', 20 * G), disk('/dev/sdb', 20 * G)] },
    [
      '/dev/sda gpt 1:bios.1@1+1 2:esp.1@2+512 3:boot.1@514+512 4:half.1@1026+19453',
      '/dev/sdb gpt 1:bios.2@1+1 2:esp.2@2+512 3:boot.2@514+512 4:half.2@1026+19453',
    ],
  ],
  [
    'a mirror of unequal disks',
    { layout: mirror('2'), disks: [disk('/dev/sda', 20 * G), disk('/dev/sdb', 30 * G)] },
    [
      '/dev/sda gpt 1:bios.1@1+1 2:esp.1@2+512 3:boot.1@514+512 4:half.1@1026+19453',
      '/dev/sdb gpt 1:bios.2@1+1 2:esp.2@2+512 3:boot.2@514+512 4:half.2@1026+19453',
    ],
  ],
  [
    'half a mirror',
    { layout: mirror('1-2'), disks: [disk('/dev/sda', 20 * G)] },
    ['/dev/sda gpt 1:bios.1@1+1 2:esp.1@2+512 3:boot.1@514+512 4:half.1@1026+19453'],
  ],
  [
    'an optional disk that is absent',
    {
      layout: `disks: [{ name: s, match: smallest, partitions: [${boot}, ${root}] }, { name: b, count: 0-1, partitions: [${data}] }]`,
      disks: [disk('/dev/sda', 20 * G)],
    },
    [`/dev/sda gpt ${usual} 4:root@1026+19453`],
  ],
  [
    'as many disks as there are',
    {
      layout: `disks: [{ name: s, match: smallest, partitions: [${boot}, ${root}] }, { name: b, match: 'size>=100G', count: 3+, partitions: [{ name: part }] }]
raids: [{ name: pool, level: 5, members: [part], role: data, fileSystem: { type: xfs, mount: /pool } }]`,
      disks: [disk('/dev/sda', 20 * G), ...['b', 'c', 'd', 'e'].map((letter) => disk(`/dev/sd${letter}`, 100 * G))],
    },
    [
      `/dev/sda gpt ${usual} 4:root@1026+19453`,
      ...['b', 'c', 'd', 'e'].map((letter, index) => `/dev/sd${letter} gpt 1:part.${index + 1}@1+102398`),
    ],
  ],
];

/** Everything above partitions, a line each, sizes in MiB. */
function stack(given: Given): string[] {
  const { raids, crypts, groups } = solution(given);
  const size = (bytes: number) => bytes / M;
  return [
    ...raids.map(
      (each) =>
        `${each.device} raid${each.level} ${each.members.join('+')}${each.missing ? ` missing ${each.missing}` : ''} ${size(each.size)}`,
    ),
    ...crypts.map((each) => `${each.device} on ${each.on} ${size(each.size)} ${each.unlock}`),
    ...groups.map(
      (each) =>
        `${each.name} on ${each.physicalVolumes.join('+')} ${size(each.size)}: ${each.volumes.map((volume) => `${volume.name} ${size(volume.size)}`).join(', ')}; free ${size(each.free)}`,
    ),
  ];
}

const stacks: [what: string, given: Given, expected: string[]][] = [
  [
    'a volume group in an encrypted mirror',
    { layout: stacked, disks: [disk('/dev/sda', 40 * G), disk('/dev/sdb', 40 * G)] },
    [
      '/dev/md/mirror raid1 /dev/sda4+/dev/sdb4 39891',
      '/dev/mapper/secret on /dev/md/mirror 39875 passphrase',
      'vg0 on /dev/mapper/secret 39872: root 8424, swap 2048, pool 4096, vm 51200, home 25280; free 4',
    ],
  ],
  [
    'half of it',
    { layout: stacked.replace('count: 2', 'count: 1-2'), disks: [disk('/dev/sda', 40 * G)] },
    [
      '/dev/md/mirror raid1 /dev/sda4 missing 1 39891',
      '/dev/mapper/secret on /dev/md/mirror 39875 passphrase',
      'vg0 on /dev/mapper/secret 39872: root 8424, swap 2048, pool 4096, vm 51200, home 25280; free 4',
    ],
  ],
  ['RAID 0', { layout: array(0, '2'), disks: bunch(100, 100) }, ['/dev/md/pool raid0 /dev/sdb1+/dev/sdc1 204586']],
  [
    'RAID 5 of unequal disks',
    { layout: array(5, '3'), disks: bunch(100, 120, 150) },
    ['/dev/md/pool raid5 /dev/sdb1+/dev/sdc1+/dev/sdd1 204586'],
  ],
  [
    'RAID 6',
    { layout: array(6, '4'), disks: bunch(100, 100, 100, 100) },
    ['/dev/md/pool raid6 /dev/sdb1+/dev/sdc1+/dev/sdd1+/dev/sde1 204586'],
  ],
  [
    'RAID 10',
    { layout: array(10, '4'), disks: bunch(100, 100, 100, 100) },
    ['/dev/md/pool raid10 /dev/sdb1+/dev/sdc1+/dev/sdd1+/dev/sde1 204586'],
  ],
  [
    'RAID 5 over all that there are',
    { layout: array(5, '3+'), disks: bunch(60, 60, 60, 60, 60) },
    ['/dev/md/pool raid5 /dev/sdb1+/dev/sdc1+/dev/sdd1+/dev/sde1+/dev/sdf1 245496'],
  ],
  [
    'a group on two disks that are not equal',
    {
      layout: `disks:
  - { name: s, match: smallest, partitions: [${boot}, { name: p1 }] }
  - { name: b, partitions: [{ name: p2 }] }
volumeGroups: [{ name: vg, physicalVolumes: [p1, p2], volumes: [{ name: root, role: root, min: 30G }] }]`,
      disks: [disk('/dev/sda', 20 * G), disk('/dev/sdb', 100 * G)],
    },
    ['vg on /dev/sda4+/dev/sdb1 121848: root 121848; free 0'],
  ],
  [
    'LUKS on a partition, opened by a key',
    {
      layout: `${one('{ name: p }')}\ncrypts: [{ name: c, device: p, unlock: tpm2, role: root }]`,
      disks: [disk('/dev/sda', 20 * G)],
    },
    ['/dev/mapper/c on /dev/sda4 19437 tpm2'],
  ],
];

it.each(several)('lays out %s', (_what, given, expected) => {
  expect(tables(given)).toEqual(expected);
});

it.each(stacks)('puts together %s', (_what, given, expected) => {
  expect(stack(given)).toEqual(expected);
});
