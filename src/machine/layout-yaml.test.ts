import { expect, it } from 'vitest';
import { parseLayout } from './layout-file.ts';
import { renderLayout, sizeText } from './layout-yaml.ts';

const layout = parseLayout(
  `format: 1
disks:
  - name: d
    match: 'size>=100G, smallest'
    erase: [linux, 'label=an old one', number=7]
    partitions:
      - { name: bios, role: bios-boot }
      - { name: boot, role: boot, size: 1G }
      - { name: root, min: 1.5G, max: 100000000001, role: root, fileSystem: { type: btrfs, subvolumes: [{ name: '@', mount: / }, { name: '@home', mount: /home }] } }
      - { name: data, role: data, keep: true, weight: 0, fileSystem: { type: ext4, label: 'da: ta #1', make: '-O ^has_journal -i 8192' } }
      - { name: r1 }
      - { name: r2 }
raids: [{ name: m, level: 1, members: [r1, r2], metadata: 1.0, chunk: 64K, role: data }]
`,
  'x',
);

it('writes a layout that is read as the same', () => {
  const volumes = { ...layout, raids: layout.raids.map((raid) => ({ ...raid, role: 'data' as const })) };
  const text = renderLayout(volumes, new Map([['disks.0.partitions.2', ['it is the system']]]), ['made by hand']);
  expect(parseLayout(text, 'again')).toEqual(volumes);
  expect(text).toContain('# made by hand\nformat: 1\n');
  expect(text).toContain('      # it is the system\n      - name: root\n        role: root\n        min: 1536M\n');
  expect(text).toContain('      - { name: boot, role: boot, size: 1G }\n');
});

it('writes remarks of one line, whatever is in them', () => {
  const label = 'ext4 “x\nraids: []\u2028swap: []”';
  const text = renderLayout(layout, new Map([['disks.0', [label]]]), [label]);
  expect(parseLayout(text, 'again')).toEqual(layout);
  expect(text.split('\n')[0]).toBe('# ext4 “x\ufffdraids: []\ufffdswap: []”');
});

it.each([
  [0, '0'],
  [1023, '1023'],
  [1536 * 2 ** 20, '1536M'],
  [2 ** 40, '1T'],
  [2 ** 50, '1024T'],
])('writes %d bytes as %s', (bytes, text) => {
  expect(sizeText(bytes)).toBe(text);
});
