import { describe, expect, test } from 'vitest';
import type { RawPath } from '../foundation/brand.ts';
import { changedAttributes, diffManifests, type EntryChange, findMoves } from './diff.ts';
import type { Entry } from './entry.ts';
import { ManifestSplitter } from './manifest-decoder.ts';
import { ManifestEncoder } from './manifest-encoder.ts';

describe('diffManifests', () => {
  test('tells what is new, gone and changed, in order, whatever the batches', async () => {
    const before = [directory(''), file('a', 1), file('b', 2), file('d', 4)];
    const after = [directory(''), file('b', 3), file('c', 2), file('d', 4), file('e', 5)];
    for (const size of [1, 2, 10]) {
      const changes = await all(diffManifests(batches(before, size), batches(after, size)));
      expect(changes.map(({ path, before: old, after: now }) => `${path}${old ? '-' : ''}${now ? '+' : ''}`)).toEqual([
        'a-',
        'b-+',
        'c+',
        'e+',
      ]);
    }
  });

  test('shows a witness what it wants of both sides, and finds nothing where both are equal', async () => {
    const entries = [directory(''), file('a', 1), file('b', 2)];
    const seen: string[] = [];
    const changes = await all(
      diffManifests(batches(entries, 2), batches(entries, 1), {
        wants: (path) => path !== 'b',
        see: (side, entry) => void seen.push(`${side} ${entry.path}`),
      }),
    );
    expect(changes).toEqual([]);
    expect(seen.toSorted()).toEqual(['after ', 'after a', 'before ', 'before a']);
  });

  test('an empty side makes everything new or gone', async () => {
    const entries = [directory(''), file('a', 1)];
    expect((await all(diffManifests(batches([], 1), batches(entries, 1)))).every(({ before }) => !before)).toBe(true);
    expect((await all(diffManifests(batches(entries, 1), batches([], 1)))).every(({ after }) => !after)).toBe(true);
  });
});

describe('changedAttributes', () => {
  const plain = file('a', 1);
  test.each<[string, Partial<Entry>, string[]]>([
    ['content', { chunks: [{ hash: new Uint8Array(32).fill(9), length: 10 }] }, ['content']],
    [
      'size with content',
      { size: 11, chunks: [{ hash: new Uint8Array(32).fill(9), length: 11 }] },
      ['content', 'size'],
    ],
    ['mode', { mode: 0o600 }, ['mode']],
    ['group', { gid: 4 }, ['owner']],
    ['nanoseconds', { mtime: { seconds: 1, nanoseconds: 6 } }, ['mtime']],
    ['an attribute', { xattrs: [{ name: 'user.x', value: new Uint8Array([1]) }] }, ['xattr']],
    ['a hole', { segments: [{ offset: 0, length: 4 }] }, ['holes']],
  ])('%s', (_, change, attributes) => {
    expect(changedAttributes(plain, { ...plain, ...change })).toEqual(attributes);
  });

  test('a hard link is compared by what it names alone', () => {
    const link: Entry = { ...plain, type: 'hardlink', target: 'z' as RawPath };
    expect(changedAttributes(link, { ...link, mode: 0 })).toEqual([]);
    expect(changedAttributes(link, { ...link, target: 'y' as RawPath })).toEqual(['target']);
  });
});

describe('findMoves', () => {
  test('puts a file that is gone together with a new one of the same content, the same name first', () => {
    const changes: EntryChange[] = [
      gone(file('old/a', 1)),
      gone(file('old/b', 1)),
      added(file('new/b', 1)),
      added(file('new/c', 7)),
    ];
    const found = findMoves(changes).map(({ path, from }) => (from ? `${from} → ${path}` : path));
    expect(found).toEqual(['old/a', 'old/b → new/b', 'new/c']);
  });

  test('leaves empty files apart', () => {
    const empty = (path: string): Entry => ({ ...file(path, 1), size: 0, chunks: [] });
    expect(findMoves([gone(empty('a')), added(empty('b'))])).toHaveLength(2);
  });
});

function gone(before: Entry): EntryChange {
  return { path: before.path, before };
}

function added(after: Entry): EntryChange {
  return { path: after.path, after };
}

function directory(path: string): Entry {
  return {
    path: path as RawPath,
    type: 'directory',
    mode: 0o755,
    uid: 0,
    gid: 0,
    mtime: { seconds: 1, nanoseconds: 5 },
  };
}

function file(path: string, content: number): Entry {
  return {
    ...directory(path),
    type: 'file',
    size: 10,
    chunks: [{ hash: new Uint8Array(32).fill(content), length: 10 }],
  };
}

/** Messages of entries, as a manifest has them. */
async function* batches(entries: readonly Entry[], size: number): AsyncGenerator<Buffer[]> {
  if (entries.length === 0) return;
  const messages = new ManifestSplitter().push(new ManifestEncoder().encode(entries));
  for (let from = 0; from < messages.length; from += size) yield messages.slice(from, from + size);
}

async function all(changes: AsyncIterable<EntryChange[]>): Promise<EntryChange[]> {
  return (await Array.fromAsync(changes)).flat();
}
