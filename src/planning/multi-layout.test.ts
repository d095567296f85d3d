import { describe, expect, it } from 'vitest';
import { parseLayout } from '../machine/layout-file.ts';
import { renderLayout } from '../machine/layout-yaml.ts';
import { builtInLayout } from './built-in-layouts.ts';
import { noNeeds } from './layout-needs.ts';
import { orderedLayout } from './own-layout.ts';
import { solveLayout } from './solve-layout.ts';

const gibibyte = 1024 ** 3;
const mebibyte = 1024 ** 2;

/** Name and MiB of each partition on an empty disk of that many GiB. */
function partitions(options: Parameters<typeof builtInLayout>[0], size: number): string[] {
  const answer = solveLayout({
    layout: builtInLayout({ ...options, layout: 'multi' }),
    disks: [
      {
        ...{ path: '/dev/vda', size: size * gibibyte, sectorSize: 512, removable: false, readOnly: false },
        ...{ content: 'empty', inUse: [] },
      },
    ],
    firmware: 'bios',
    needs: noNeeds,
    machine: 'web01',
    reference: 'web:3',
  });
  if (answer.kind === 'refused') throw answer.error;
  const [disk] = answer.solution.disks;
  return (disk?.partitions ?? []).map((each) => `${each.name} ${Math.round((each.size * 512) / mebibyte)}`);
}

describe('the layout multi', () => {
  it('has systems, one swap for all, and a share, which gets the most of a large disk', () => {
    const front = ['bios-boot 1', 'esp 512', 'boot 640', 'swap 2048'];
    const small = partitions({ swap: 2 * gibibyte }, 28);
    expect(small.slice(0, 4)).toEqual(front);
    expect(small.slice(4).map((each) => each.split(' ')[0])).toEqual(['a', 'b', 'c', 'd', 'share']);
    expect(new Set(small.slice(4).map((each) => each.split(' ')[1])).size).toBe(1);
    const large = partitions({ swap: 2 * gibibyte }, 1000);
    expect(large.slice(4, 8)).toEqual(['a 32768', 'b 32768', 'c 32768', 'd 32768']);
    expect(Number(large[8]?.split(' ')[1])).toBeGreaterThan(800 * 1024);
  });

  it('has as many systems as are asked for, and a share of the size that is asked for', () => {
    const made = partitions({ slots: 6, share: 4 * gibibyte }, 100);
    expect(made.slice(2).map((each) => each.split(' ')[0])).toEqual(['boot', 'a', 'b', 'c', 'd', 'e', 'f', 'share']);
    expect(made).toContain('boot 896');
    expect(made.at(-1)).toBe('share 4096');
    expect(Number(made[3]?.split(' ')[1])).toBeGreaterThan(15 * 1024);
  });

  it.each([
    [undefined, []],
    ['local', []],
    ['share', [{ source: '/share/home', mount: '/home' }]],
    ['files.example:/export/home', [{ source: 'files.example:/export/home', mount: '/home' }]],
  ])('with --home %s', (home, more) => {
    expect(builtInLayout({ layout: 'multi', ...(home && { home }) }).mounts).toEqual([
      { source: '/share/tmp', mount: '/tmp' },
      { source: '/share/var/tmp', mount: '/var/tmp' },
      ...more,
    ]);
  });

  it('is a layout that people could have written', () => {
    const layout = builtInLayout({ layout: 'multi', home: 'share', swap: gibibyte });
    expect(parseLayout(renderLayout(layout), 'multi')).toEqual({ ...layout, format: '1' });
  });

  it.each([
    [{ home: 'share' }, 'home'],
    [{ layout: 'slots', share: gibibyte }, 'share'],
    [{ layout: 'own', own: { name: 'x.yaml', text: '' }, home: 'local' }, 'home'],
  ] as const)('%j: other layouts have no share', (options, field) => {
    expect(() => orderedLayout(options)).toThrow(
      expect.objectContaining({ code: 'input-invalid', details: expect.objectContaining({ field }) }),
    );
  });

  it.each([
    ['{ source: /share/home, mount: /etc }', '/etc is a part of every system'],
    ['{ source: /share/home, mount: /share }', 'something is mounted on /share already'],
    ['{ source: /srv/home, mount: /home }', '/srv/home lies on no file system of this layout'],
    ['{ source: files.example, mount: /home }', 'must be an absolute path, or SERVER:/path'],
  ])('mounts: %s is refused', (line, problem) => {
    const text = renderLayout({ ...builtInLayout({ layout: 'multi' }), mounts: [] });
    expect(() => parseLayout(`${text}\nmounts:\n  - ${line}\n`, 'x.yaml')).toThrow(problem);
  });
});
