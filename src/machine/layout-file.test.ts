import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { ImprintError } from '../foundation/errors.ts';
import { examineLayout, parseLayout } from './layout-file.ts';
import { nearestWord } from './nearest-word.ts';

const G = 1024 ** 3;

/** Two equal disks, mirrored, encrypted, a volume group in it; Windows beside, and data that must survive. */
const mirrored = `# as captured
format: 1
disks:
  - name: system
    match: size>=100G, smallest
    count: 1-2
    erase: [linux, raid, lvm, luks]
    partitions:
      - { name: bios, role: bios-boot }
      - { name: esp, role: esp, size: 512M }
      - { name: boot, role: boot, size: 1G }
      - { name: windows, role: foreign, kind: windows }
      - { name: half, min: 20G }
  - name: large
    partitions:
      - name: data
        role: data
        keep: true
        min: 10G
        weight: 3
        fileSystem: { type: xfs, label: data, mount: /data, make: -m reflink=1, options: 'noatime,nofail' }
raids:
  - { name: mirror, level: 1, members: [half], metadata: 1.2 }
crypts:
  - { name: secret, device: mirror, unlock: passphrase }
volumeGroups:
  - name: vg0
    physicalVolumes: [secret]
    volumes:
      - { name: root, role: root, min: 8G, weight: 2 }
      - { name: swap, role: swap, size: 4G }
swap:
  - { zram: true, size: 50% }
`;

it('reads a layout', () => {
  const layout = parseLayout(mirrored, 'golden.yaml');
  expect(layout.disks[1]?.partitions[0]).toEqual({
    ...{ name: 'data', role: 'data', keep: 'true', min: 10 * G, weight: 3 },
    fileSystem: {
      ...{ type: 'xfs', label: 'data', mount: '/data', options: 'noatime,nofail' },
      make: ['-m', 'reflink=1'],
      subvolumes: [],
    },
  });
  expect(layout.raids[0]).toEqual({ name: 'mirror', level: 1, members: ['half'], spares: [], metadata: '1.2' });
  expect(parseLayout(JSON.stringify(layout), 'again.json')).toEqual(layout);
});

it('reads the example of its own page', () => {
  const page = readFileSync('docs/layouts.md', 'utf8');
  const [, example = ''] = /```yaml\n([\s\S]*?)```/.exec(page) ?? [];
  expect(parseLayout(example, 'docs/layouts.md').volumeGroups).toHaveLength(1);
});

/** One line of the layout above exchanged, and what is then said of which place. */
const mistakes: [what: string, from: string, to: string, said: RegExp][] = [
  [
    'a word that there is not',
    '    count: 1-2',
    '    cuont: 1-2',
    /:6:5: there is no “cuont” in disks\[0\], did you mean “count”\?/,
  ],
  ['a word within', 'role: esp, size', 'role: esp, sise', /:10:33: there is no “sise” in .*did you mean “size”\?/],
  ['a word that is like none', 'format: 1', 'xyzzy: 1', /:2:1: there is no “xyzzy” in a layout$/],
  ['another format', 'format: 1', 'format: 2', /:2:9: format must be/],
  [
    'a role that there is not',
    'role: boot,',
    'role: bot,',
    /:11:29: disks\[0\]\.partitions\[2\]\.role must be one of bios-boot/,
  ],
  ['a size that is none', 'size: 4G', 'size: many', /:31:41: .*must be a size/],
  ['a level that is none', 'level: 1,', 'level: 4,', /:23:28: raids\[0\]\.level must be one of 0, 1, 5/],
  ['a mount point that is none', 'mount: /data', 'mount: data', /must be an absolute path/],
  ['a path out', 'mount: /data', 'mount: /a/../data', /must be an absolute path/],
  ['mkfs with a shell', '-m reflink=1', '"; rm -rf /"', /must be plain words/],
  ['no name', '- { name: bios, role', '- { role', /:9:9: disks\[0\]\.partitions\[0\]\.name is missing/],
  ['a name twice', 'name: boot, role', 'name: esp, role', /the name esp stands here twice/],
  [
    'an unknown member',
    'members: [half]',
    'members: [halv]',
    /^layout.yaml:23:41: there is nothing called halv here, did you mean “half”\?/,
  ],
  ['a part used twice', 'device: mirror', 'device: half', /half is already part of the RAID mirror/],
  ['a part with a content of its own', 'members: [half]', 'members: [half, data]', /data has the role data of its own/],
  ['a RAID of itself', 'members: [half]', 'members: [mirror]', /would lie on itself/],
  ['too few members', 'level: 1,', 'level: 6,', /RAID 6 needs 4 members, and mirror has 2/],
  ['a rule that is none', 'match: size>=100G, smallest', 'match: the big one', /:5:12: “the big one” is no condition/],
  ['a count that goes down', 'count: 1-2', 'count: 3-2', /counts down/],
  [
    'an order to erase what is nothing',
    'erase: [linux,',
    'erase: [linus,',
    /:7:12: “linus” names nothing .*did you mean “linux”/,
  ],
  ['size and min', 'size: 1G', 'size: 1G, min: 2G', /boot has a size; min, max and weight/],
  ['min above max', 'min: 20G', 'min: 20G, max: 10G', /half has a min above its max/],
  [
    'a boot partition on RAID',
    '{ name: mirror, level: 1,',
    '{ name: mirror, level: 1, role: boot,',
    /mirror \(boot\) must be a partition/,
  ],
  ['no boot partition', '{ name: boot, role: boot', '{ name: boot, role: home', /no partition has the role boot/],
  ['no place for a system', 'name: root, role: root', 'name: root, role: home', /there is no place for the system/],
  ['two places for a system', 'name: half, min: 20G', 'name: half, role: host', /are both for the system/],
  [
    'a partition for nothing',
    'name: half, min: 20G }',
    'name: half, min: 20G }\n      - { name: idle }',
    /nothing lies on idle/,
  ],
  [
    'a kept root',
    '{ name: boot, role: boot',
    '{ name: boot, keep: true, role: boot',
    /boot has the role boot, which each install makes anew/,
  ],
  [
    'a part of the version for all slots',
    '- { name: root, role: root, min: 8G, weight: 2 }',
    '- { name: a, role: slot }\n      - { name: var, role: data, fileSystem: { type: xfs, mount: /var } }',
    /\/var is a part of every version/,
  ],
  ['a kept member', 'name: half, min: 20G', 'name: half, keep: true', /half is a part of something else/],
  ['a foreign one that nothing tells', ', kind: windows', '', /say its kind/],
  ['a long label', 'label: data', 'label: data-of-the-house', /longer than the 12 bytes of xfs/],
  ['a label twice', 'label: data', 'label: IMPRINT-BOOT', /boot has the label “IMPRINT-BOOT”, too/],
  ['a mount point twice', 'mount: /data', 'mount: /', /\/ already/],
  ['a mount point of every system', 'mount: /data', 'mount: /dev/data', /data cannot lie on \/dev\/data/],
  ['the mount point of the ESP', 'mount: /data', 'mount: /boot/efi', /data cannot lie on \/boot\/efi/],
  ['subvolumes of xfs', 'label: data,', 'label: data, subvolumes: [{ name: a }],', /xfs has no subvolumes/],
  ['a file system on swap', 'role: swap, size', 'role: swap, fileSystem: { type: ext4 }, size', /needs no fileSystem/],
  [
    'an ESP that is none',
    'role: esp, size: 512M',
    'role: esp, fileSystem: { type: ext4 }',
    /EFI system partition is vfat/,
  ],
  ['swap of two kinds', 'zram: true', 'zram: true, file: /swap', /either a file: PATH, or zram/],
  ['a share of the memory for a file', 'zram: true', 'file: /swap', /is for zram/],
  ['a key without its file', 'unlock: passphrase', 'unlock: key-file', /belong together/],
  ['an alias', 'count: 1-2', 'count: *a', /aliases/],
  ['no YAML', 'disks:', 'disks: [', /layout\.yaml:\d+:\d+: /],
];

it.each(mistakes)('tells of %s with its place', (_what, from, to, said) => {
  expect(mirrored).toContain(from);
  const text = mirrored.replace(from, to);
  const problems = () =>
    examineLayout(text, 'layout.yaml').problems.map(({ place, problem }) => `${place}: ${problem}`);
  let told: string[];
  try {
    told = problems();
  } catch (error) {
    told = [(error as Error).message];
  }
  expect(told.join('\n')).toMatch(new RegExp(said.source, 'm'));
  expect(() => parseLayout(text, 'layout.yaml')).toThrow(ImprintError);
});

it('tells of all that is wrong, in the order of the file', () => {
  const text = mirrored
    .replace('members: [half]', 'members: [halv]')
    .replace('match: size>=100G, smallest', 'match: what');
  const { problems, layout } = examineLayout(text, 'x');
  expect(layout).toBeUndefined();
  expect(problems.length).toBe(2);
  const lines = problems.map(({ place }) => Number(place.split(':')[1]));
  expect(lines).toEqual([...lines].sort((left, right) => left - right));
  expect(() => parseLayout(text, 'x')).toThrow(/and 1 more/);
});

it('reads or refuses whatever it is, with a place', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.json(), fc.constantFrom(...mirrored.split('\n'))),
      fc.nat(mirrored.length),
      (text, at) => {
        for (const whole of [text, mirrored.slice(0, at) + text + mirrored.slice(at)]) {
          try {
            parseLayout(whole, 'f');
          } catch (error) {
            if (!(error instanceof ImprintError) || error.code !== 'layout-invalid') throw error;
          }
        }
      },
    ),
    { numRuns: 150 },
  );
});

it.each([
  ['partitons', 'partitions'],
  ['filesystem', 'fileSystem'],
  ['volume-groups', 'volumeGroups'],
  ['siez', 'size'],
  ['nothing like it', undefined],
])('finds what %s meant', (typed, meant) => {
  expect(nearestWord(typed, ['partitions', 'fileSystem', 'volumeGroups', 'size', 'name'])).toBe(meant);
});
