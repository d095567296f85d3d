import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PartitionFacts } from '../contract/machine.ts';
import type { PartitionKind } from '../contract/partition-kind.ts';
import { parsePartitions } from './partition-facts.ts';
import { describePartition, isExtended, partitionKind } from './partition-kind.ts';
import { memberGroup, usedBytes } from './superblock.ts';

/** The first 128 KiB of what mkfs, pvcreate and vgcreate of Debian 12 made. */
const head = (name: string) => gunzipSync(readFileSync(`tests/fixtures/disks/${name}.gz`));
const M = 1024 ** 2;

const dos = JSON.stringify({
  partitiontable: {
    ...{ label: 'dos', id: '0x004aa776', device: '/dev/sda', unit: 'sectors', sectorsize: 512 },
    partitions: [
      { node: '/dev/sda1', start: 2048, size: 40960, type: '83' },
      { node: '/dev/sda2', start: 43008, size: 61440, type: '7', bootable: true },
      { node: '/dev/sda3', start: 104448, size: 509952, type: '5' },
      { node: '/dev/sda5', start: 106496, size: 102400, type: '8e' },
    ],
  },
});
const signature = (type: string, label: string | null = null) =>
  JSON.stringify({ signatures: [{ device: 'x', offset: '0x0', type, uuid: 'u', label }] });

describe('parsePartitions', () => {
  it('tells how a disk is divided, and what lies there', () => {
    const signatures = {
      '/dev/sda': signature('dos'),
      '/dev/sda1': signature('ext4', 'data'),
      '/dev/sda3': signature('dos'),
      '/dev/sda5': signature('LVM2_member'),
    };
    const heads = { '/dev/sda1': head('ext4'), '/dev/sda5': head('pv') };
    expect(parsePartitions('/dev/sda', 512, { table: dos, signatures, heads })).toEqual({
      table: { type: 'mbr', id: '0x004aa776' },
      partitions: [
        {
          ...{ number: 1, path: '/dev/sda1', start: M, size: 20 * M, type: '83' },
          content: { type: 'ext4', label: 'data', uuid: 'u', used: 12741632 },
        },
        { number: 2, path: '/dev/sda2', start: 21 * M, size: 30 * M, type: '07', active: true },
        { number: 3, path: '/dev/sda3', start: 51 * M, size: 249 * M, type: '05' },
        {
          ...{ number: 5, path: '/dev/sda5', start: 52 * M, size: 50 * M, type: '8e' },
          content: { type: 'LVM2_member', uuid: 'u' },
          group: { kind: 'lvm', id: 'ROxGGI-zAwO-IzmS-Zn1h-kdd8-NVoG-41My6I', name: 'vg0' },
        },
      ],
    });
  });

  it('tells of what lies on a whole disk, of nothing, and nothing where it could not ask', () => {
    const asked = (text: string) => parsePartitions('/dev/sda', 512, { signatures: { '/dev/sda': text }, heads: {} });
    expect(asked(signature('xfs'))).toEqual({ partitions: [], whole: { type: 'xfs', uuid: 'u' } });
    expect(asked('{"signatures":[]}')).toEqual({ partitions: [] });
    expect(asked(signature('mac'))).toEqual({ table: { type: 'other' } });
    const raw = (byte: number) => ({
      signatures: { '/dev/sda': '{"signatures":[]}' },
      heads: { '/dev/sda': Buffer.alloc(4096, byte) },
    });
    expect(parsePartitions('/dev/sda', 512, raw(7))).toEqual({ partitions: [], whole: { type: 'unknown' } });
    expect(parsePartitions('/dev/sda', 512, raw(0))).toEqual({ partitions: [] });
    expect(parsePartitions('/dev/sda', 512, { signatures: {}, heads: {} })).toEqual({});
    expect(parsePartitions('/dev/sda', 512, { table: 'no json', signatures: {}, heads: {} })).toEqual({});
  });

  it('knows sectors of 4096 bytes', () => {
    const table = JSON.stringify({
      partitiontable: {
        ...{ label: 'gpt', sectorsize: 4096 },
        partitions: [{ node: '/dev/nvme0n1p2', start: 256, size: 512, type: 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b' }],
      },
    });
    const { partitions } = parsePartitions('/dev/nvme0n1', 4096, { table, signatures: {}, heads: {} });
    expect(partitions?.[0]).toMatchObject({ number: 2, start: M, size: 2 * M });
    expect(partitionKind(partitions?.[0] as PartitionFacts)).toBe('esp');
  });
});

describe('usedBytes', () => {
  it.each([
    ['ext4', 12741632],
    ['xfs', 67239936],
    ['btrfs', 3149824],
    ['vfat', 3000832],
    ['ntfs', undefined],
  ])('counts what %s holds', (type, used) => {
    expect(usedBytes(type, head(type === 'ntfs' ? 'xfs' : type))).toBe(used);
  });

  it('makes nothing of anything else', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('ext4', 'xfs', 'btrfs', 'vfat'),
        fc.uint8Array({ maxLength: 2000 }),
        (type, bytes) => {
          const used = usedBytes(type, bytes);
          expect(used === undefined || used >= 0).toBe(true);
          memberGroup({ type: 'LVM2_member' }, bytes);
          memberGroup({ type: 'linux_raid_member', uuid: 'u' }, bytes);
        },
      ),
    );
  });
});

it('knows the array of a RAID member', () => {
  const superblock = Buffer.alloc(8192);
  superblock.writeUInt32LE(0xa92b4efc, 4096);
  superblock.write('host:data', 4096 + 32);
  superblock.writeInt32LE(5, 4096 + 72);
  superblock.writeUInt32LE(3, 4096 + 92);
  const content = { type: 'linux_raid_member', uuid: 'array' };
  expect(memberGroup(content, superblock)).toEqual({
    kind: 'raid',
    id: 'array',
    name: 'host:data',
    level: 5,
    members: 3,
  });
  expect(memberGroup(content, Buffer.alloc(100))).toEqual({ kind: 'raid', id: 'array' });
  expect(memberGroup({ type: 'LVM2_member' }, Buffer.alloc(100))).toBeUndefined();
});

const basic = 'EBD0A0A2-B9E5-4433-87C0-68B6B72699C7';
const linux = '0FC63DAF-8483-4772-8E79-3D69D8477DE4';
const kinds: [
  what: string,
  partition: Pick<PartitionFacts, 'type' | 'content' | 'name'>,
  kind: PartitionKind,
  words: string,
][] = [
  ['Windows', { type: basic, content: { type: 'ntfs', label: 'OS' } }, 'windows', 'Windows (ntfs “OS”)'],
  ['BitLocker', { type: basic, content: { type: 'BitLocker' } }, 'windows', 'Windows (BitLocker)'],
  [
    'what Windows reserves',
    { type: 'E3C9E316-0B5C-4DB8-817D-F92DF00215AE' },
    'windows',
    'Windows (Microsoft reserved)',
  ],
  ['ext4 in a Windows type', { type: basic, content: { type: 'ext4' } }, 'linux', 'ext4'],
  [
    'its recovery',
    { type: 'DE94BBA4-06D1-4D40-A16A-BFD50179D6AC', content: { type: 'ntfs' } },
    'recovery',
    'recovery (ntfs)',
  ],
  [
    'a maker’s recovery by its label',
    { type: basic, content: { type: 'ntfs', label: 'RECOVERY' } },
    'recovery',
    'recovery (ntfs “RECOVERY”)',
  ],
  [
    'a Linux file system of that label',
    { type: linux, content: { type: 'ext4', label: 'recovery' } },
    'linux',
    'ext4 “recovery”',
  ],
  [
    'Dell’s utilities',
    { type: 'de', content: { type: 'vfat', label: 'DellUtility' } },
    'vendor',
    "maker's (vfat “DellUtility”)",
  ],
  ['HP’s tools', { type: '0c', content: { type: 'vfat', label: 'HP_TOOLS' } }, 'vendor', "maker's (vfat “HP_TOOLS”)"],
  ['Compaq’s diagnostics', { type: '12' }, 'vendor', "maker's (Compaq and HP diagnostics)"],
  ['a hidden NTFS', { type: '27', content: { type: 'ntfs' } }, 'recovery', 'recovery (ntfs)'],
  [
    'an ESP',
    { type: 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b', content: { type: 'vfat', label: 'SYSTEM' } },
    'esp',
    'EFI system (vfat “SYSTEM”)',
  ],
  ['an MBR’s ESP', { type: 'ef' }, 'esp', 'EFI system (EFI system)'],
  ['swap', { type: '0x82', content: { type: 'swap' } }, 'linux', 'swap'],
  ['Linux', { type: linux, content: { type: 'xfs', label: 'data' } }, 'linux', 'xfs “data”'],
  ['a RAID member of an odd type', { type: linux, content: { type: 'linux_raid_member' } }, 'raid', 'RAID member'],
  ['a RAID type with LVM in it', { type: 'fd', content: { type: 'LVM2_member' } }, 'lvm', 'LVM physical volume'],
  ['LUKS', { type: linux, content: { type: 'crypto_LUKS' } }, 'luks', 'LUKS'],
  ['Linux’ type with nothing known in it', { type: linux, name: 'root' }, 'linux', 'Linux data “root”'],
  ['FreeBSD', { type: 'a5' }, 'other', 'another system (FreeBSD)'],
  [
    'a firmware RAID',
    { type: '83', content: { type: 'isw_raid_member' } },
    'other',
    'another system (isw_raid_member)',
  ],
  [
    'a type that nobody knows',
    { type: '12345678-0000-4000-8000-000000000000' },
    'unknown',
    'type 12345678-0000-4000-8000-000000000000',
  ],
  ['no type', { type: '' }, 'unknown', 'unknown'],
  [
    'APFS',
    { type: '7C3457EF-0000-11AA-AA11-00306543ECAC', content: { type: 'apfs' } },
    'other',
    'another system (apfs)',
  ],
];

it.each(kinds)('recognises %s', (_what, partition, kind, words) => {
  expect(partitionKind(partition)).toBe(kind);
  expect(describePartition(partition)).toBe(words);
});

it('knows an extended partition', () => {
  expect(['05', '0f', '85', '0x5', '83', basic].map((type) => isExtended({ type }))).toEqual([
    ...[true, true, true, true, false, false],
  ]);
});
