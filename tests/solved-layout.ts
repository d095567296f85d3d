import type { DiskFacts, PartitionFacts } from '../src/contract/machine.ts';
import { parseLayout } from '../src/machine/layout-file.ts';
import { noNeeds } from '../src/planning/layout-needs.ts';
import type { LayoutNeeds, LayoutSolution } from '../src/planning/layout-solution.ts';
import { solveLayout } from '../src/planning/solve-layout.ts';

export const M = 1024 ** 2;
export const G = 1024 ** 3;

/** What firmware and GRUB read, and then these. */
export const boot = '{ name: bios, role: bios-boot }, { name: esp, role: esp }, { name: boot, role: boot }';
export const root = '{ name: root, role: root, min: 4G }';
export const data =
  '{ name: data, role: data, min: 2G, weight: 3, fileSystem: { type: xfs, label: data, mount: /data } }';
export const kept = data.replace('min: 2G', 'min: 2G, keep: true');

/** One disk with these partitions, and more keys of it. */
export const one = (partitions: string, more = '') =>
  `disks: [{ name: d, partitions: [${boot}, ${partitions}]${more} }]`;

/** An empty disk. */
export function disk(path: string, size: number, more: Partial<DiskFacts> = {}): DiskFacts {
  return {
    ...{
      path,
      size,
      sectorSize: 512,
      serial: `S${path}`,
      removable: false,
      readOnly: false,
      content: 'empty',
      inUse: [],
    },
    ...{ partitions: [] },
    ...more,
  };
}

export const types: Readonly<Record<string, string>> = {
  linux: '0FC63DAF-8483-4772-8E79-3D69D8477DE4',
  esp: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
  bios: '21686148-6449-6E6F-744E-656564454649',
  msr: 'E3C9E316-0B5C-4DB8-817D-F92DF00215AE',
  basic: 'EBD0A0A2-B9E5-4433-87C0-68B6B72699C7',
  winre: 'DE94BBA4-06D1-4D40-A16A-BFD50179D6AC',
};

/** `number type start+size [content [label]]`, in MiB: what is on a disk now. */
export function there(table: 'gpt' | 'mbr', path: string, size: number, ...lines: string[]): DiskFacts {
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

/** What Windows makes of a disk. */
export const windows = [
  '1 esp 1+100 vfat SYSTEM',
  '2 msr 101+16',
  '3 basic 117+40000 ntfs OS',
  '4 winre 40117+700 ntfs',
];

/** A machine, and what is to be laid on it. */
export interface Given {
  layout: string;
  disks: DiskFacts[];
  firmware?: 'bios' | 'uefi';
  needs?: Partial<LayoutNeeds>;
}

/** Solves it for `web:3` on the machine `web01`. */
export function answer({ layout, disks, firmware = 'uefi', needs }: Given) {
  return solveLayout({
    layout: parseLayout(layout, 'layout.yaml'),
    ...{ disks, firmware, needs: { ...noNeeds, ...needs }, machine: 'web01', reference: 'web:3' },
  });
}

/** The same where it must not be refused. */
export function solution(given: Given): LayoutSolution {
  const found = answer(given);
  if (found.kind === 'refused') throw found.error;
  return found.solution;
}

/** Each disk a line: `gpt 1:bios@1+1 …` in MiB; `=` stays, `~` holds logical ones, `*` is active. */
export function tables(given: Given): string[] {
  return solution(given).disks.map(({ facts, table, tableKept, partitions }) => {
    const parts = partitions.map(({ number, name, entry, kept: stays, extended, active, start, size }) => {
      const mark = `${stays ? '=' : ''}${extended ? '~' : ''}${active ? '*' : ''}`;
      const title = name ?? (extended ? 'extended' : (entry?.name ?? 'other'));
      return `${number}:${mark}${title}@${(start * facts.sectorSize) / M}+${(size * facts.sectorSize) / M}`;
    });
    return `${facts.path} ${table}${tableKept ? ' kept' : ''} ${parts.join(' ')}`;
  });
}

/** The boot partitions that `boot` becomes. */
export const usual = '1:bios@1+1 2:esp@2+512 3:boot@514+512';
/** The same on so many disks, the system on a mirror of them. */
export function mirror(count: string): string {
  return `disks: [{ name: d, match: smallest, count: ${count}, partitions: [${boot}, { name: half }] }]
raids: [{ name: system, level: 1, members: [half], role: root }]`;
}

/** A volume group in an encrypted mirror. */
export const stacked = `disks: [{ name: d, match: smallest, count: 2, erase: [linux, raid, lvm, luks], partitions: [${boot}, { name: half }] }]
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

/** The system on one disk, an array on others. */
export const array = (level: number, count: string, more = '') => `disks:
  - { name: s, match: smallest, partitions: [${boot}, ${root}] }
  - { name: b, match: 'size>=50G', count: ${count}, partitions: [{ name: part }] }
raids: [{ name: pool, level: ${level}, members: [part]${more}, role: data, fileSystem: { type: xfs, mount: /pool } }]`;
/** Disks for it, sizes in GiB. */
export const bunch = (...sizes: number[]) => [
  disk('/dev/sda', 20 * G),
  ...sizes.map((size, index) => disk(`/dev/sd${'bcdefg'[index]}`, size * G)),
];

/** Two disks with one volume group across them. */
export function shared(): DiskFacts[] {
  const facts = [
    there('gpt', '/dev/sda', 20 * G, '1 linux 1+10000 LVM2_member'),
    there('gpt', '/dev/sdb', 40 * G, '1 linux 1+10000 LVM2_member'),
  ];
  for (const { partitions } of facts)
    Object.assign(partitions?.[0] ?? {}, { group: { kind: 'lvm', id: 'v', name: 'vgdata' } });
  return facts;
}
