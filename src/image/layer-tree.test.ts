import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RawPath } from '../foundation/brand.ts';
import { comparePaths, type EntryType } from './entry.ts';
import { FormatError } from './format-error.ts';
import { type LayerMember, LayerTree, type PlacedMember } from './layer-tree.ts';

type Line = readonly [path: string, type: EntryType, target?: string];

function members(layer: number, lines: readonly Line[]): PlacedMember[] {
  return lines.map(([path, type, target = ''], member) => ({
    path: path as RawPath,
    member: {
      type,
      mode: 0o700 + layer,
      uid: 0,
      gid: 0,
      mtime: { seconds: layer, nanoseconds: 0 },
      xattrs: [],
      size: 0,
      segments: undefined,
      target: target as RawPath,
      major: 0,
      minor: 0,
      layer,
      member,
      linked: false,
    },
  }));
}

/** Names with the layer that each comes from (`-` for directories that nobody named), links with their first name. */
function flat(...layers: readonly Line[][]): string[] {
  const tree = new LayerTree();
  for (const [layer, lines] of layers.entries()) tree.apply(members(layer, lines), true);
  return describeTree(tree);
}

function describeTree(tree: LayerTree): string[] {
  const first = new Map<LayerMember, string>();
  return [...tree.names()].slice(1).map(({ path, member }) => {
    const before = first.get(member);
    if (before !== undefined) return `${path} = ${before}`;
    first.set(member, path);
    return `${path} ${member.layer < 0 ? '-' : member.layer}`;
  });
}

const error = (work: () => unknown) => expect(work).toThrow(FormatError);

describe('LayerTree', () => {
  it('lays layers one over another', () => {
    const lower: Line[] = [
      ['etc', 'directory'],
      ['etc/a', 'file'],
      ['etc/b', 'file'],
    ];
    expect(
      flat(lower, [
        ['./etc/b', 'file'],
        ['/etc/c', 'symlink', 'a'],
      ]),
    ).toEqual(['etc 0', 'etc/a 0', 'etc/b 1', 'etc/c 1']);
  });

  it('replaces a directory’s attributes and keeps what is in it', () => {
    expect(
      flat(
        [
          ['d', 'directory'],
          ['d/x', 'file'],
        ],
        [['d', 'directory']],
      ),
    ).toEqual(['d 1', 'd/x 0']);
  });

  it('replaces a directory by a file, and a symlink by a directory', () => {
    expect(
      flat(
        [
          ['d', 'directory'],
          ['d/x', 'file'],
        ],
        [['d', 'file']],
      ),
    ).toEqual(['d 1']);
    expect(
      flat(
        [
          ['e', 'directory'],
          ['l', 'symlink', 'e'],
        ],
        [
          ['l', 'directory'],
          ['l/x', 'file'],
        ],
      ),
    ).toEqual(['e 0', 'l 1', 'l/x 1']);
  });

  it('hides what lower layers have, wherever the whiteout stands, and nothing of its own layer', () => {
    const lower: Line[] = [
      ['d', 'directory'],
      ['d/old', 'file'],
      ['d/both', 'file'],
      ['f', 'file'],
    ];
    const upper: Line[] = [
      ['d/both', 'file'],
      ['d/.wh.both', 'file'],
      ['d/.wh.old', 'file'],
      ['.wh.f', 'file'],
      ['.wh.none', 'file'],
    ];
    expect(flat(lower, upper)).toEqual(['d 0', 'd/both 1']);
    expect(flat(lower, upper.toReversed())).toEqual(['d 0', 'd/both 1']);
  });

  it('hides a whole directory', () => {
    const lower: Line[] = [
      ['d', 'directory'],
      ['d/x', 'file'],
      ['d/s', 'directory'],
      ['d/s/y', 'file'],
    ];
    expect(flat(lower, [['.wh.d', 'file']])).toEqual([]);
    // Made again by what lies in it, with nobody's attributes.
    expect(
      flat(lower, [
        ['.wh.d', 'file'],
        ['d/new', 'file'],
      ]),
    ).toEqual(['d -', 'd/new 1']);
  });

  it('empties an opaque directory of what lower layers have', () => {
    const lower: Line[] = [
      ['d', 'directory'],
      ['d/x', 'file'],
      ['d/s', 'directory'],
      ['d/s/y', 'file'],
    ];
    const upper: Line[] = [
      ['d', 'directory'],
      ['d/new', 'file'],
      ['d/.wh..wh..opq', 'file'],
    ];
    expect(flat(lower, upper)).toEqual(['d 1', 'd/new 1']);
    // Not what a symlink of that name points at.
    const linked: Line[] = [
      ['e', 'directory'],
      ['e/x', 'file'],
      ['d', 'symlink', 'e'],
    ];
    expect(flat(linked, upper)).toEqual(['d 1', 'd/new 1', 'e 0', 'e/x 0']);
  });

  it('takes .wh. for a name where it is a plain archive, and passes over what is AUFS’s', () => {
    const tree = new LayerTree();
    tree.apply(members(0, [['.wh.x', 'file']]), false);
    expect(describeTree(tree)).toEqual(['.wh.x 0']);
    expect(
      flat([
        ['.wh..wh.plnk', 'directory'],
        ['.wh..wh.aufs', 'file'],
      ]),
    ).toEqual([]);
  });

  it('keeps names of one file together across layers', () => {
    const lower: Line[] = [
      ['a', 'file'],
      ['b', 'hardlink', 'a'],
    ];
    expect(flat(lower, [['c', 'hardlink', './b']])).toEqual(['a 0', 'b = a', 'c = a']);
    // A new file under one name leaves the other as it is.
    expect(flat(lower, [['a', 'file']])).toEqual(['a 1', 'b 0']);
    // The first name goes: the next becomes the first.
    expect(
      flat(lower, [
        ['.wh.a', 'file'],
        ['z', 'hardlink', 'b'],
      ]),
    ).toEqual(['b 0', 'z = b']);
    error(() =>
      flat(lower, [
        ['.wh.a', 'file'],
        ['c', 'hardlink', 'a'],
      ]),
    );
    error(() =>
      flat([
        ['d', 'directory'],
        ['c', 'hardlink', 'd'],
      ]),
    );
  });

  it('follows symlinks on the way, inside the tree', () => {
    const lower: Line[] = [
      ['usr/lib', 'directory'],
      ['lib', 'symlink', 'usr/lib'],
      ['abs', 'symlink', '/usr'],
      ['out', 'symlink', '../../../usr'],
    ];
    expect(
      flat(lower, [
        ['lib/x', 'file'],
        ['abs/y', 'file'],
        ['out/z', 'file'],
      ]),
    ).toEqual(['abs 0', 'lib 0', 'out 0', 'usr -', 'usr/lib 0', 'usr/lib/x 1', 'usr/y 1', 'usr/z 1']);
    expect(flat(lower, [['lib/x', 'file']], [['lib/.wh.x', 'file']])).not.toContain('usr/lib/x 1');
    error(() =>
      flat([
        ['l', 'symlink', 'l'],
        ['l/x', 'file'],
      ]),
    );
  });

  it('refuses what would lead out, or cannot be', () => {
    error(() => flat([['../x', 'file']]));
    error(() => flat([['a/../../x', 'file']]));
    error(() =>
      flat([
        ['x', 'file'],
        ['x/y', 'file'],
      ]),
    );
    error(() => flat([['.', 'file']]));
    error(() => flat([['a\0b', 'file']]));
    error(() => flat([['n'.repeat(256), 'file']]));
    error(() => flat([['l', 'symlink', '']]));
    error(() => flat([['.wh...', 'file']]));
  });

  it('goes as deep as a path may be', () => {
    const path = Array.from({ length: 30_000 }, () => 'd').join('/');
    expect(flat([[path, 'file']]).length).toBe(30_000);
  });

  it('makes a tree in order from whatever comes, or says what is wrong', () => {
    const name = fc.constantFrom('a', 'b', 'c', '.', '..', '', 'a-b', '.wh.a', '.wh..wh..opq', '.wh.', '\xff');
    const path = fc.array(name, { maxLength: 4 }).map((names) => names.join('/'));
    const type = fc.constantFrom<EntryType>('file', 'directory', 'symlink', 'hardlink', 'fifo');
    const layer = fc.array(fc.tuple(path, type, path), { maxLength: 12 });
    fc.assert(
      fc.property(fc.array(layer, { maxLength: 3 }), (layers) => {
        const tree = new LayerTree();
        try {
          for (const [index, lines] of layers.entries()) tree.apply(members(index, lines), true);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(FormatError);
        }
        const names = [...tree.names()];
        const directories = new Set<string>();
        names.forEach(({ path: own, member }, index) => {
          const before = names[index - 1];
          if (before !== undefined) expect(comparePaths(before.path, own)).toBeLessThan(0);
          if (index > 0) expect(directories.has(own.slice(0, Math.max(0, own.lastIndexOf('/'))))).toBe(true);
          if (member.type === 'directory') directories.add(own);
          expect(member.type).not.toBe('hardlink');
        });
      }),
      { numRuns: 1000 },
    );
  });
});
