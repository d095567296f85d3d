import { expect, it } from 'vitest';
import type { PartitionFacts } from '../contract/machine.ts';
import { parseLayout } from '../machine/layout-file.ts';
import { renderLayout } from '../machine/layout-yaml.ts';
import { createContext } from '../operations/context.ts';
import { solveNamedLayout } from '../operations/layouts/solve-layout.ts';
import { silentLog } from '../operations/log.ts';
import { describeSolution } from './layout-words.ts';
import { openTerminal } from './terminal.ts';
import { textWidth } from './text-width.ts';

const M = 1024 ** 2;

const text = `disks:
  - name: d
    match: serial=S5Y1
    erase: [linux]
    partitions:
      - { name: bios, role: bios-boot }
      - { name: esp, role: esp }
      - { name: boot, role: boot }
      - { name: root, role: root, min: 8G }
      - { name: pv, weight: 2 }
      - { name: data, role: data, keep: true, fileSystem: { type: xfs, label: data, mount: /data } }
volumeGroups:
  - name: vg0
    physicalVolumes: [pv]
    volumes: [{ name: swap, role: swap, size: 2G }, { name: home, role: home, max: 10G }]
`;

const part = (number: number, start: number, size: number, type: string, content: PartitionFacts['content']) => ({
  ...{ number, path: `/dev/sda${number}`, start: start * M, size: size * M, type },
  ...(content === undefined ? {} : { content }),
});
const linux = '0FC63DAF-8483-4772-8E79-3D69D8477DE4';
const partitions = [
  part(1, 1, 100, 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B', { type: 'vfat', label: 'SYSTEM', used: 30 * M }),
  part(2, 101, 16, 'E3C9E316-0B5C-4DB8-817D-F92DF00215AE', undefined),
  part(3, 117, 120_000, 'EBD0A0A2-B9E5-4433-87C0-68B6B72699C7', { type: 'ntfs', label: 'OS' }),
  part(4, 120_117, 700, 'DE94BBA4-06D1-4D40-A16A-BFD50179D6AC', { type: 'ntfs' }),
  part(5, 120_817, 60_000, linux, { type: 'ext4', label: 'old', used: 12_345 * M }),
  part(6, 180_817, 100_000, linux, { type: 'xfs', label: 'data', used: 70_000 * M }),
];

const solved = async () => {
  const disk = {
    ...{ path: '/dev/sda', size: 477 * 1024 * M, sectorSize: 512, model: 'Samsung SSD 870', serial: 'S5Y1' },
    ...{ removable: false, readOnly: false, content: 'gpt: 6 partitions', inUse: ['/dev/sda5 mounted on /'] },
    ...{ table: { type: 'gpt' as const }, partitions },
  };
  await using context = createContext({ data: '/nonexistent', log: silentLog });
  return solveNamedLayout(context, { name: 'web.yaml', text, machine: 'web01', disks: [disk], firmware: 'uefi' });
};

const plain = openTerminal({ columns: 80, write: () => true }, { LANG: 'C' });

it('draws a disk before and after, and counts what is lost', async () => {
  expect(plain.plain(describeSolution(await solved(), plain))).toMatchInlineSnapshot(`
    "/dev/sda  477 GiB  Samsung SSD 870  serial S5Y1  GPT, which stays
      now   |1|2|3==============|4|5xxxxxxx|6============|.........................|
      then  |1|2|3=============|4|5|7|8+++++++|6==========|9+++++++++++++++++++++++|
            = stays   x lost   + new   . free
      now    1   100 MiB  EFI system (vfat "SYSTEM")           stays
             2    16 MiB  Windows (Microsoft reserved)         stays
             3   117 GiB  Windows (ntfs "OS")                  stays
             4   700 MiB  recovery (ntfs)                      stays
             5  58.6 GiB  ext4 "old"                           LOST, 12.1 GiB in use
             6  97.7 GiB  xfs "data"                           stays
      then   1   100 MiB  esp: EFI system (vfat "SYSTEM")                      stays
             2    16 MiB  Windows (Microsoft reserved)                         stays
             3   117 GiB  Windows (ntfs "OS")                                  stays
             4   700 MiB  recovery (ntfs)                                      stays
             5     1 MiB  bios: for GRUB on a BIOS                             new
             7   512 MiB  boot: ext4                                           new
             8  58.1 GiB  root: ext4 on /                                      new
             6  97.7 GiB  data: xfs "data" on /data                            stays
             9   203 GiB  pv: volume group vg0                                 new

      volume group vg0  about 203 GiB  on /dev/sda9
        swap  2 GiB  swap
        home  10 GiB  ext4 on /home
        free  191 GiB

    Lost: 58.6 GiB, of which 12.1 GiB are in use
      /dev/sda5  ext4 "old"  58.6 GiB (62914560000 bytes)

    - the EFI system partition /dev/sda1 stays and is shared with what boots from it now
    - /dev/sda is in use now (/dev/sda5 mounted on /): an install would refuse it
    "
  `);
});

it('stays within the window, in colours and without', async () => {
  const solution = await solved();
  for (const environment of [{ LANG: 'C' }, { LANG: 'C.UTF-8', FORCE_COLOR: '1' }]) {
    for (const columns of [66, 80, 132]) {
      const words = describeSolution(solution, openTerminal({ columns, write: () => true }, environment));
      const [drawing = ''] = words.split('\n\n');
      expect(Math.max(...drawing.split('\n').map(textWidth))).toBeLessThanOrEqual(columns);
    }
  }
});

it('shows the built-in layouts as they could be written', () => {
  expect(parseLayout(renderLayout(parseLayout(text, 'x')), 'y')).toEqual({ ...parseLayout(text, 'x'), format: '1' });
});
