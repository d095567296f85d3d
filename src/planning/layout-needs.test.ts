import { describe, expect, it } from 'vitest';
import { parseLayout } from '../machine/layout-file.ts';
import { layoutNeeds } from './layout-needs.ts';

const gibibyte = 1024 ** 3;
const stats = { contentBytes: gibibyte, entries: 1000 };

function needs(swap: string) {
  const text = `
disks:
  - name: d
    partitions:
      - { name: esp, role: esp }
      - { name: boot, role: boot }
      - { name: root, role: root }
      - { name: data, role: data, fileSystem: { type: ext4, mount: /data } }
      - { name: fast, role: data, fileSystem: { type: ext4, mount: /data/fast } }
swap: ${swap}
`;
  return layoutNeeds(parseLayout(text, 'test'), stats, []);
}

describe('a swap file takes room where it lies', () => {
  const without = needs('[]');

  it.each<[string, Partial<Record<'root' | '/data' | '/data/fast', number>>]>([
    ['[{ file: /swapfile, size: 2G }]', { root: 2 }],
    ['[{ file: /data/swap, size: 2G }]', { '/data': 2 }],
    ['[{ file: /data/fast/swap, size: 2G }, { file: /database/swap, size: 1G }]', { '/data/fast': 2, root: 1 }],
    ['[{ zram: true, size: 50% }]', {}],
  ])('%s', (swap, more) => {
    const found = needs(swap);
    expect(found.system - without.system).toBe((more.root ?? 0) * gibibyte);
    for (const mount of ['/data', '/data/fast'] as const) {
      expect((found.mounts.get(mount) ?? 0) - (without.mounts.get(mount) ?? 0)).toBe((more[mount] ?? 0) * gibibyte);
    }
  });
});
