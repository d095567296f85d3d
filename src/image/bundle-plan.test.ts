import { hash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { rawPath } from '../foundation/brand.ts';
import { BundlePlanner } from './bundle-plan.ts';
import type { ChunkReference, Entry } from './entry.ts';
import { nameWithoutVersion } from './moved-names.ts';

const attributes = { mode: 0o644, uid: 0, gid: 0, mtime: { seconds: 1, nanoseconds: 0 } };
const chunk = (content: string, length = 1000): ChunkReference => ({ hash: hash('sha256', content, 'buffer'), length });
const file = (path: string, ...chunks: ChunkReference[]): Entry => ({
  ...attributes,
  path: rawPath(path),
  type: 'file',
  size: chunks.reduce((sum, { length }) => sum + length, 0),
  chunks,
});

function plan(before: Entry[], after: Entry[]) {
  const planner = new BundlePlanner();
  planner.addOld(before);
  planner.addNew(after);
  return { planner, ...planner.plan() };
}

describe('nameWithoutVersion', () => {
  it.each([
    ['boot/vmlinuz-6.1.0-50-amd64', 'boot/vmlinuz-6.1.0-56-amd64', true],
    ['usr/lib/libssl.so.3', 'usr/lib/libssl.so.3.0.17', true],
    ['usr/lib/modules/6.1.0-50-amd64/kernel/a.ko', 'usr/lib/modules/6.1.0-56-amd64/kernel/a.ko', true],
    ['usr/share/a1/b', 'usr/share/a2/c', false],
    ['etc/passwd', 'etc/shadow', false],
  ])('%s and %s', (left, right, same) => {
    expect(nameWithoutVersion(left) === nameWithoutVersion(right)).toBe(same);
  });
});

describe('what a bundle looks at', () => {
  it('is the file of the same path, of the same path but its version, of the same name; each chunk comes once', () => {
    const { missing, units } = plan(
      [
        file('a', chunk('a')),
        file('boot/vmlinuz-6.1.0-50', chunk('k')),
        file('opt/x/tool', chunk('t')),
        file('same', chunk('s')),
      ],
      [
        file('a', chunk('a2')),
        file('boot/vmlinuz-6.1.0-56', chunk('k2')),
        file('copy', chunk('a2')),
        file('new', chunk('n')),
        file('opt/y/tool', chunk('t2')),
        file('same', chunk('s')),
      ],
    );
    expect(missing).toHaveLength(4);
    expect(units.map(({ base }) => base?.entry)).toEqual([0, 1, undefined, 2]);
  });

  it('in a file too long to look at whole is what lies between what did not change', () => {
    const large = 4 << 20;
    const parts = Array.from({ length: 40 }, (_, index) => chunk(`part ${index}`, large));
    const changed = parts.with(20, chunk('new', large));
    const { units, planner } = plan([file('database', ...parts)], [file('database', ...changed)]);
    expect(units).toEqual([
      { first: 0, count: 1, length: large, base: { entry: 0, offset: 20 * large, length: large } },
    ]);
    expect(planner.piecesOf({ entry: 0, offset: 20 * large - 5, length: large })).toEqual([
      { hash: parts[19]?.hash, skip: large - 5, length: 5 },
      { hash: parts[20]?.hash, skip: 0, length: large - 5 },
    ]);
  });

  it('is not more than a reader can hold, though all but a little of a long file was replaced by something short', () => {
    const large = 4 << 20;
    const parts = Array.from({ length: 100 }, (_, index) => chunk(`part ${index}`, large));
    const { units } = plan(
      [file('database', ...parts)],
      [file('database', ...parts.slice(0, 1), chunk('short'), ...parts.slice(-1))],
    );
    expect(units).toHaveLength(1);
    expect(units[0]?.base).toEqual({ entry: 0, offset: large, length: 16 << 20 });
  });

  it('in a long file all of which changed is the same part of it and some more', () => {
    const large = 4 << 20;
    const parts = (name: string) => Array.from({ length: 40 }, (_, index) => chunk(`${name} ${index}`, large));
    const { units } = plan([file('database', ...parts('old'))], [file('database', ...parts('new'))]);
    expect(units).toHaveLength(40);
    for (const [index, { base }] of units.entries()) {
      expect(base?.offset).toBeLessThanOrEqual(index * large);
      expect((base?.offset ?? 0) + (base?.length ?? 0)).toBeGreaterThanOrEqual((index + 1) * large);
      expect(base?.length).toBeLessThanOrEqual(9 << 20);
    }
  });
});
