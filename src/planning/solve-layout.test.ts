import { describe, expect, it } from 'vitest';
import type { DiskFacts, PartitionFacts } from '../contract/machine.ts';
import { parseLayout } from '../machine/layout-file.ts';
import { noNeeds } from './layout-needs.ts';
import type { LayoutNeeds, LayoutSolution } from './layout-solution.ts';
import { solveLayout } from './solve-layout.ts';

const M = 1024 ** 2;
const G = 1024 ** 3;

/** What firmware and GRUB read, and then these. */
const boot = '{ name: bios, role: bios-boot }, { name: esp, role: esp }, { name: boot, role: boot }';
const root = '{ name: root, role: root, min: 4G }';
const data = '{ name: data, role: data, min: 2G, weight: 3, fileSystem: { type: xfs, label: data, mount: /data } }';
const kept = data.replace('min: 2G', 'min: 2G, keep: true');

/** One disk with these partitions, and more keys of it. */
const one = (partitions: string, more = '') => `disks: [{ name: d, partitions: [${boot}, ${partitions}]${more} }]`;

let serial = 0;
function disk(path: string, size: number, more: Partial<DiskFacts> = {}): DiskFacts {
  serial += 1;
  return {
    ...{
      path,
      size,
      sectorSize: 512,
      serial: `S${serial}`,
      removable: false,
      readOnly: false,
      content: 'empty',
      inUse: [],
    },
    ...{ partitions: [] },
    ...more,
  };
}

const types: Readonly<Record<string, string>> = {
  linux: '0FC63DAF-8483-4772-8E79-3D69D8477DE4',
  esp: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
  bios: '21686148-6449-6E6F-744E-656564454649',
  msr: 'E3C9E316-0B5C-4DB8-817D-F92DF00215AE',
  basic: 'EBD0A0A2-B9E5-4433-87C0-68B6B72699C7',
  winre: 'DE94BBA4-06D1-4D40-A16A-BFD50179D6AC',
};

/** `number type start+size [content [label]]`, in MiB: what is on a disk now. */
function there(table: 'gpt' | 'mbr', path: string, size: number, ...lines: string[]): DiskFacts {
  const partitions = lines.map((line): PartitionFacts => {
    const [number, type = '', place = '', content, label] = line.split(' ');
    const [start, length] = place.split('+').map(Number);
    return {
      number: Number(number),
      path: `${path}${number}`,
      start: (start ?? 0) * M,
      size: (length ?? 0) * M,
      type: types[type] ?? type,
      ...(content === undefined ? {} : { content: { type: content, ...(label === undefined ? {} : { label }) } }),
    };
  });
  return disk(path, size, { table: { type: table, id: 'T' }, content: `${table}: …`, partitions });
}

const windows = ['1 esp 1+100 vfat SYSTEM', '2 msr 101+16', '3 basic 117+40000 ntfs OS', '4 winre 40117+700 ntfs'];

interface Given {
  layout: string;
  disks: DiskFacts[];
  firmware?: 'bios' | 'uefi';
  needs?: Partial<LayoutNeeds>;
}

function answer({ layout, disks, firmware = 'uefi', needs }: Given) {
  return solveLayout({
    layout: parseLayout(layout, 'layout.yaml'),
    ...{ disks, firmware, needs: { ...noNeeds, ...needs }, machine: 'web01', reference: 'web:3' },
  });
}

function solution(given: Given): LayoutSolution {
  const found = answer(given);
  if (found.kind === 'refused') throw found.error;
  return found.solution;
}

/** Each disk a line: `gpt 1:bios@1+1 …` in MiB; `=` stays, `~` holds logical ones, `*` is active. */
function tables(given: Given): string[] {
  return solution(given).disks.map(({ facts, table, tableKept, partitions }) => {
    const parts = partitions.map(({ number, name, entry, kept: stays, extended, active, start, size }) => {
      const mark = `${stays ? '=' : ''}${extended ? '~' : ''}${active ? '*' : ''}`;
      const title = name ?? (extended ? 'extended' : (entry?.name ?? 'other'));
      return `${number}:${mark}${title}@${(start * facts.sectorSize) / M}+${(size * facts.sectorSize) / M}`;
    });
    return `${facts.path} ${table}${tableKept ? ' kept' : ''} ${parts.join(' ')}`;
  });
}

const usual = '1:bios@1+1 2:esp@2+512 3:boot@514+512';

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
  // ── MBR ──
  [
    'an MBR',
    { layout: one(root, ', table: mbr'), disks: [disk('/dev/sda', 20 * G)], firmware: 'bios' },
    ['/dev/sda mbr 1:esp@1+512 2:*boot@513+512 3:root@1025+19455'],
  ],
  [
    'an MBR with four partitions',
    { layout: one(`${root}, { name: swap, role: swap, size: 1G }`, ', table: mbr'), disks: [disk('/dev/sda', 20 * G)] },
    ['/dev/sda mbr 1:esp@1+512 2:*boot@513+512 3:root@1025+18431 4:swap@19456+1024'],
  ],
  [
    'an MBR with logical partitions',
    {
      layout: one(`${root}, { name: swap, role: swap, size: 1G }, ${data}`, ', table: mbr'),
      disks: [disk('/dev/sda', 100 * G)],
    },
    [
      '/dev/sda mbr 1:esp@1+512 2:*boot@513+512 3:root@1025+25087 4:~extended@26112+76288 5:swap@26113+1024 6:data@27138+75261',
    ],
  ],
  [
    'an MBR with Windows, whose entry it takes',
    {
      layout: one(`${root}, { name: swap, role: swap, size: 1G }`),
      disks: [there('mbr', '/dev/sda', 100 * G, '1 07 1+40000 ntfs')],
    },
    [
      '/dev/sda mbr kept 1:=other@1+40000 2:esp@40001+512 3:*boot@40513+512 4:~extended@41025+61375 5:root@41026+60349 6:swap@101376+1024',
    ],
  ],
  [
    'an MBR whose extended partition stays for a logical one',
    {
      layout: one(`${root}, ${kept}`, ', erase: [linux]'),
      disks: [
        there(
          'mbr',
          '/dev/sda',
          100 * G,
          '1 83 1+20000 ext4',
          '2 05 20001+82398',
          '5 83 20002+1000 ext4',
          '6 83 21003+50000 xfs data',
        ),
      ],
    },
    ['/dev/sda mbr kept 1:esp@1+512 3:*boot@513+512 4:root@1025+18976 2:=~extended@20001+82398 5:=data@21003+50000'],
  ],
  [
    'an MBR whose room is within',
    {
      layout: one(`${root}, ${data}`, ', erase: [linux]'),
      disks: [there('mbr', '/dev/sda', 100 * G, '1 07 1+40000 ntfs', '2 0f 40001+62398', '5 07 40002+10000 ntfs')],
    },
    [
      '/dev/sda mbr kept 1:=other@1+40000 2:=~extended@40001+62398 5:=other@40002+10000 6:esp@50003+512 7:boot@50516+512 8:root@51029+12842 9:data@63872+38526',
    ],
  ],
  [
    'an MBR of more than 2 TiB',
    { layout: one(root, ', table: mbr'), disks: [disk('/dev/sda', 3000 * G)] },
    ['/dev/sda mbr 1:esp@1+512 2:*boot@513+512 3:root@1025+2096127'],
  ],
  // ── several disks ──
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

/** The same on so many disks, the system on a mirror of them. */
function mirror(count: string): string {
  return `disks: [{ name: d, match: smallest, count: ${count}, partitions: [${boot}, { name: half }] }]
raids: [{ name: system, level: 1, members: [half], role: root }]`;
}

const stacked = `disks: [{ name: d, match: smallest, count: 2, erase: [linux, raid, lvm, luks], partitions: [${boot}, { name: half }] }]
raids: [{ name: mirror, level: 1, members: [half] }]
crypts: [{ name: secret, device: mirror }]
volumeGroups:
  - name: vg0
    physicalVolumes: [secret]
    volumes:
      - { name: root, role: root, min: 4G }
      - { name: swap, role: swap, size: 2G }
      - { name: pool, thinPool: true, size: 4G }
      - { name: vm, pool: pool, size: 50G, fileSystem: { type: ext4, mount: /vm } }
      - { name: home, role: home, weight: 3 }
swap: [{ file: /swapfile, size: 1G }]`;

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

const array = (level: number, count: string, more = '') => `disks:
  - { name: s, match: smallest, partitions: [${boot}, ${root}] }
  - { name: b, match: 'size>=50G', count: ${count}, partitions: [{ name: part }] }
raids: [{ name: pool, level: ${level}, members: [part]${more}, role: data, fileSystem: { type: xfs, mount: /pool } }]`;
const bunch = (...sizes: number[]) => [
  disk('/dev/sda', 20 * G),
  ...sizes.map((size, index) => disk(`/dev/sd${'bcdefg'[index]}`, size * G)),
];

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

const refused: [what: string, given: Given, code: string, said: RegExp][] = [
  ['no disk', { layout: one(root), disks: [] }, 'disk-none', /it has no disk/],
  [
    'two disks for one',
    { layout: one(root), disks: [disk('/dev/sda', 20 * G), disk('/dev/sdb', 20 * G)] },
    'disk-ambiguous',
    /2 disks/,
  ],
  [
    'two disks of one size',
    { layout: one(root, ', match: smallest'), disks: [disk('/dev/sda', 20 * G), disk('/dev/sdb', 20 * G)] },
    'disk-ambiguous',
    /2 disks/,
  ],
  [
    'three for two',
    { layout: mirror('2').replace('smallest', 'only'), disks: [1, 2, 3].map((n) => disk(`/dev/sd${n}`, 20 * G)) },
    'disk-ambiguous',
    /3 disks/,
  ],
  [
    'one for two',
    { layout: mirror('2'), disks: [disk('/dev/sda', 20 * G)] },
    'disk-none',
    /only \/dev\/sda.* of the 2/,
  ],
  [
    'a mounted disk',
    { layout: one(root), disks: [disk('/dev/sda', 20 * G, { inUse: ['/dev/sda1 mounted on /'] })] },
    'disk-in-use',
    /mounted on \//,
  ],
  [
    'one of two in use',
    {
      layout: mirror('2'),
      disks: [disk('/dev/sda', 20 * G), disk('/dev/sdb', 20 * G, { inUse: ['part of raid1 md0'] })],
    },
    'disk-in-use',
    /sdb/,
  ],
  [
    'a removable disk',
    { layout: one(root), disks: [disk('/dev/sda', 20 * G, { removable: true })] },
    'disk-none',
    /removable/,
  ],
  ['too small a disk', { layout: one(root), disks: [disk('/dev/sda', 4 * G)] }, 'disk-too-small', /needs at least/],
  [
    'too small for the version',
    { layout: one('{ name: root, role: root }'), disks: [disk('/dev/sda', 8 * G)], needs: { system: 8 * G } },
    'disk-too-small',
    /8\.75 GiB/,
  ],
  [
    'too small for what is above',
    { layout: stacked, disks: [disk('/dev/sda', 10 * G), disk('/dev/sdb', 10 * G)] },
    'disk-too-small',
    /needs at least/,
  ],
  [
    'too small a group',
    {
      layout: `${one('{ name: p, max: 20G }, { name: q, max: 20G }')}\nvolumeGroups: [{ name: v, physicalVolumes: [p, q], volumes: [{ name: r, role: root, min: 60G }] }]`,
      disks: [disk('/dev/sda', 100 * G)],
    },
    'layout-unsolvable',
    /volume group v has 40 GiB.* need 60 GiB/,
  ],
  [
    'a size below what the version needs',
    {
      layout: one('{ name: root, role: root, size: 4G }'),
      disks: [disk('/dev/sda', 20 * G)],
      needs: { system: 5 * G },
    },
    'layout-unsolvable',
    /root has a size of 4 GiB, and web:3 needs 5 GiB/,
  ],
  [
    'a maximum below it',
    { layout: one('{ name: root, role: root, max: 4G }'), disks: [disk('/dev/sda', 20 * G)], needs: { system: 5 * G } },
    'layout-unsolvable',
    /max of 4 GiB/,
  ],
  [
    'Windows in the way',
    { layout: one(root), disks: [there('gpt', '/dev/sda', 42 * G, ...windows)] },
    'disk-holds-data',
    /Windows \(ntfs “OS”\), 39\.1 GiB.*needed beside it/,
  ],
  [
    'an old Linux and no order',
    { layout: one(root), disks: [there('gpt', '/dev/sda', 20 * G, '1 linux 1+20478 ext4 old')] },
    'disk-holds-data',
    /ext4 “old”/,
  ],
  [
    'LUKS and no order',
    { layout: one(root, ', erase: [linux]'), disks: [there('gpt', '/dev/sda', 20 * G, '1 linux 1+20478 crypto_LUKS')] },
    'disk-holds-data',
    /LUKS/,
  ],
  [
    'a RAID member and no order',
    {
      layout: one(root, ', erase: [linux]'),
      disks: [there('gpt', '/dev/sda', 20 * G, '1 linux 1+20478 linux_raid_member')],
    },
    'disk-holds-data',
    /RAID member/,
  ],
  [
    'what nobody knows',
    {
      layout: one(root, ', erase: [linux]'),
      disks: [there('gpt', '/dev/sda', 20 * G, '1 ABCDEF00-0000-4000-8000-000000000000 1+20478')],
    },
    'disk-holds-data',
    /type ABCDEF00/,
  ],
  [
    'LVM on the whole disk',
    { layout: one(root, ', erase: [linux]'), disks: [disk('/dev/sda', 20 * G, { whole: { type: 'LVM2_member' } })] },
    'disk-holds-data',
    /LVM2_member on the whole disk/,
  ],
  [
    'a file system on the whole disk',
    { layout: one(root), disks: [disk('/dev/sda', 20 * G, { whole: { type: 'xfs' } })] },
    'disk-holds-data',
    /xfs on the whole disk/,
  ],
  [
    'facts of an older agent',
    {
      layout: one(root, ', erase: [linux]'),
      disks: [(({ partitions: _none, ...facts }) => facts)(disk('/dev/sda', 20 * G, { content: 'gpt: 2 partitions' }))],
    },
    'disk-holds-data',
    /gpt: 2 partitions/,
  ],
  [
    'another kind of table',
    {
      layout: one(root, ', erase: [linux]'),
      disks: [disk('/dev/sda', 20 * G, { table: { type: 'other' }, content: 'sun: 3 partitions' })],
    },
    'disk-holds-data',
    /sun/,
  ],
  [
    'an MBR that must stay where the layout wants GPT',
    { layout: one(root, ', table: gpt'), disks: [there('mbr', '/dev/sda', 60 * G, '1 07 1+20000 ntfs')] },
    'layout-unsolvable',
    /kind mbr, which must stay with \/dev\/sda1/,
  ],
  [
    'a full MBR',
    {
      layout: one(root),
      disks: [there('mbr', '/dev/sda', 90 * G, ...[1, 2, 3, 4].map((n) => `${n} 07 ${n * 10000}+9000 ntfs`))],
    },
    'layout-unsolvable',
    /no free entry/,
  ],
  [
    'half a volume group',
    { layout: one(root, ', match: smallest, erase: [linux, lvm]'), disks: shared() },
    'disk-shared',
    /\/dev\/sda1.* volume group vgdata, which also lies on \/dev\/sdb1/,
  ],
  [
    'half a volume group, all of it',
    { layout: one(root, ', match: smallest, erase: all'), disks: shared() },
    'disk-shared',
    /vgdata/,
  ],
  [
    'kept data that is there twice',
    {
      layout: one(`${root}, ${kept}`, ', erase: [linux]'),
      disks: [there('gpt', '/dev/sda', 90 * G, '1 linux 1+20000 xfs data', '2 linux 20001+20000 xfs data')],
    },
    'layout-unsolvable',
    /\/dev\/sda1 and \/dev\/sda2 could both be data/,
  ],
  [
    'kept data of another kind',
    {
      layout: one(`${root}, ${kept}`, ', erase: [linux]'),
      disks: [there('gpt', '/dev/sda', 90 * G, '1 linux 1+20000 ext4 data')],
    },
    'layout-unsolvable',
    /kept as xfs, and \/dev\/sda1 holds ext4/,
  ],
  [
    'kept data that is too small',
    {
      layout: one(`${root}, ${kept}`, ', erase: [linux]'),
      disks: [there('gpt', '/dev/sda', 90 * G, '1 linux 1+1000 xfs data')],
    },
    'layout-unsolvable',
    /needs 2 GiB, but \/dev\/sda1 has 1000 MiB/,
  ],
  [
    'kept data under another name',
    {
      layout: one(`${root}, ${kept}`, ', erase: [linux]'),
      disks: [there('gpt', '/dev/sda', 90 * G, '1 linux 1+20000 xfs DATA_2019')],
    },
    'layout-unsolvable',
    /nothing on \/dev\/sda is called “data”, and \/dev\/sda1 \(xfs “DATA_2019”/,
  ],
  [
    'kept data that fills the disk',
    {
      layout: one(`${root}, ${kept}`, ', erase: [linux]'),
      disks: [there('gpt', '/dev/sda', 20 * G, '1 linux 1+20000 xfs data')],
    },
    'disk-holds-data',
    /xfs “data”/,
  ],
  [
    'a BIOS with sectors of 4 KiB',
    { layout: one(root), disks: [disk('/dev/sda', 20 * G, { sectorSize: 4096 })], firmware: 'bios' },
    'image-unfit',
    /4096 bytes/,
  ],
  [
    'a BIOS without a place for GRUB',
    {
      layout: one(root).replace('{ name: bios, role: bios-boot }, ', ''),
      disks: [disk('/dev/sda', 20 * G)],
      firmware: 'bios',
    },
    'layout-unsolvable',
    /no partition of the role bios-boot/,
  ],
  [
    'UEFI without its partition',
    { layout: one(root).replace('{ name: esp, role: esp }, ', ''), disks: [disk('/dev/sda', 20 * G)] },
    'layout-unsolvable',
    /role esp/,
  ],
  [
    'a BIOS and an old partition in front',
    {
      layout: one(root),
      disks: [
        (() => {
          const facts = there('mbr', '/dev/sda', 60 * G, '1 07 1+20000 ntfs');
          Object.assign(facts.partitions?.[0] ?? {}, { start: 63 * 512 });
          return facts;
        })(),
      ],
      firmware: 'bios',
    },
    'layout-unsolvable',
    /begins at 31\.5 KiB/,
  ],
  [
    'too few members',
    { layout: array(5, '2-4'), disks: bunch(100, 100) },
    'layout-unsolvable',
    /RAID 5 pool needs 3 members, and there are 2/,
  ],
  [
    'an EFI system partition that is too small for its sectors',
    {
      layout: one(root).replace('role: esp }', 'role: esp, size: 64M }'),
      disks: [disk('/dev/sda', 20 * G, { sectorSize: 4096 })],
    },
    'layout-unsolvable',
    /esp has a size of 64 MiB.*260 MiB/,
  ],
  [
    'a rule that only the machine contradicts',
    { layout: one(root, ', match: serial=NONE'), disks: [disk('/dev/sda', 20 * G)] },
    'disk-none',
    /is not serial=NONE/,
  ],
];

/** Two disks with one volume group across them. */
function shared(): DiskFacts[] {
  const facts = [
    there('gpt', '/dev/sda', 20 * G, '1 linux 1+10000 LVM2_member'),
    there('gpt', '/dev/sdb', 40 * G, '1 linux 1+10000 LVM2_member'),
  ];
  for (const { partitions } of facts)
    Object.assign(partitions?.[0] ?? {}, { group: { kind: 'lvm', id: 'v', name: 'vgdata' } });
  return facts;
}

describe('solveLayout', () => {
  it.each(solved)('lays out %s', (_what, given, expected) => {
    expect(tables(given)).toEqual(expected);
  });

  it.each(stacks)('puts together %s', (_what, given, expected) => {
    expect(stack(given)).toEqual(expected);
  });

  it.each(refused)('refuses %s', (_what, given, code, said) => {
    const found = answer(given);
    expect(found.kind === 'refused' && `${found.error.code}: ${found.error.message}`).toMatch(
      new RegExp(`^${code}: .*${said.source}`),
    );
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
