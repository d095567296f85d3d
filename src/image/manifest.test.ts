import { hash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RawPath } from '../foundation/brand.ts';
import { type ChunkReference, comparePaths, type Entry } from './entry.ts';
import { FormatError } from './format-error.ts';
import { ManifestDecoder, ManifestPicker } from './manifest-decoder.ts';
import { ManifestEncoder } from './manifest-encoder.ts';
import { WireWriter } from './wire.ts';

const attributes = { mode: 0o644, uid: 0, gid: 0, mtime: { seconds: 0, nanoseconds: 0 } };
const root: Entry = { ...attributes, path: '' as RawPath, type: 'directory' };

function encode(entries: Entry[]): Buffer {
  const encoder = new ManifestEncoder();
  const bytes = encoder.encode(entries);
  encoder.end();
  return bytes;
}

function decode(bytes: Buffer, step = bytes.length): Entry[] {
  const decoder = new ManifestDecoder();
  const entries: Entry[] = [];
  for (let at = 0; at < bytes.length; at += step) entries.push(...decoder.push(bytes.subarray(at, at + step)));
  decoder.end();
  return entries;
}

/** Any byte but NUL and the slash; never `.` or `..`. */
const nameArbitrary = fc
  .array(
    fc.integer({ min: 1, max: 255 }).filter((byte) => byte !== 0x2f),
    { minLength: 1, maxLength: 12 },
  )
  .map((bytes) => String.fromCharCode(...bytes))
  .filter((name) => name !== '.' && name !== '..');
const uint32 = fc.integer({ min: 0, max: 0xffffffff });
const attributesArbitrary = fc.record({
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: uint32,
  gid: uint32,
  mtime: fc.record({
    seconds: fc.oneof(fc.integer({ min: -(2 ** 40), max: 2 ** 40 }), fc.integer()),
    nanoseconds: fc.integer({ min: 0, max: 999_999_999 }),
  }),
});
const contentArbitrary = fc
  .array(fc.record({ hole: fc.integer({ min: 0, max: 2 ** 45 }), length: fc.integer({ min: 1, max: 4 << 20 }) }), {
    maxLength: 4,
  })
  .map((parts) => {
    let at = 0;
    const segments = parts.map(({ hole, length }) => {
      const offset = at + hole;
      at = offset + length;
      return { offset, length };
    });
    const chunks = parts.map(({ length }) => ({ hash: randomBytes(32), length }));
    return { size: at, chunks, segments };
  });
const kindArbitrary = fc.oneof(
  contentArbitrary.map((content) => ({ type: 'file' as const, ...content })),
  fc.constant({ type: 'file' as const, size: 0, chunks: [] as ChunkReference[] }),
  nameArbitrary.map((target) => ({ type: 'symlink' as const, target: target as RawPath })),
  fc.record({ type: fc.constantFrom('character' as const, 'block' as const), major: uint32, minor: uint32 }),
  fc.constantFrom({ type: 'fifo' as const }, { type: 'socket' as const }, { type: 'directory' as const }),
);
const xattrsArbitrary = fc.uniqueArray(
  fc.record({ name: nameArbitrary.map((name) => `user.${name}`), value: fc.uint8Array({ maxLength: 20 }) }),
  { selector: ({ name }) => name, minLength: 1, maxLength: 3 },
);

/** A tree of any shape, in manifest order. */
const treeArbitrary = fc
  .array(fc.tuple(fc.nat(), nameArbitrary, attributesArbitrary, kindArbitrary, fc.option(xattrsArbitrary)), {
    maxLength: 30,
  })
  .map((nodes) => {
    const entries = new Map<string, Entry>([['', root]]);
    for (const [pick, name, common, kind, xattrs] of nodes) {
      const directories = [...entries.values()].filter(({ type }) => type === 'directory');
      const parent = directories[pick % directories.length]?.path ?? '';
      const path = (parent === '' ? name : `${parent}/${name}`) as RawPath;
      if (entries.has(path)) continue;
      const sorted = xattrs?.toSorted((left, right) => (left.name < right.name ? -1 : 1));
      entries.set(path, { ...common, path, ...kind, ...(sorted ? { xattrs: sorted } : {}) });
    }
    return [...entries.values()].toSorted((left, right) => comparePaths(left.path, right.path));
  });

test('every tree comes back as it was, whatever the pieces it arrives in', () => {
  fc.assert(
    fc.property(treeArbitrary, fc.integer({ min: 1, max: 100 }), (entries, step) => {
      const bytes = encode(entries);
      expect(normal(decode(bytes, step))).toEqual(normal(entries));
      expect(encode(decode(bytes)).equals(bytes)).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test('of a tree those entries come that are wanted, each at its number', () => {
  fc.assert(
    fc.property(treeArbitrary, fc.func(fc.boolean()), (entries, wanted) => {
      const picker = new ManifestPicker(wanted);
      const picked = [...picker.batches(encode(entries))].flat();
      picker.end();
      expect(picked.map((entry) => entry !== undefined)).toEqual(entries.map((_, row) => wanted(row)));
      expect(normal(picked.filter((entry) => entry !== undefined))).toEqual(
        normal(entries.filter((_, row) => wanted(row))),
      );
    }),
  );
});

test('a hard link names any earlier file, whatever lies between, and nothing else', () => {
  fc.assert(
    fc.property(treeArbitrary, (entries) => {
      const linking = (target: string) =>
        encode([
          ...entries,
          { ...attributes, path: '\xff'.repeat(99) as RawPath, type: 'hardlink', target: target as RawPath },
        ]);
      const paths = new Set<string>(entries.map(({ path }) => path));
      for (const { path, type } of entries) {
        if (type === 'directory') expect(() => linking(path)).toThrow(FormatError);
        else expect(linking(path).length).toBeGreaterThan(path.length);
        const other = `${path}\xfe`;
        if (!paths.has(other)) expect(() => linking(other)).toThrow(FormatError);
      }
    }),
  );
});

/** Byte arrays of every kind are equal by what they hold. */
function normal(entries: Entry[]): unknown {
  return JSON.parse(
    JSON.stringify(entries, (_, value) =>
      value?.type === 'Buffer' || value instanceof Uint8Array
        ? Buffer.from(value.data ?? value).toString('hex')
        : value,
    ),
  );
}

test('the encoding is that of the specification', () => {
  const chunk = { hash: hash('sha256', 'x', 'buffer'), length: 1 };
  const file: Entry = { ...attributes, path: 'f' as RawPath, type: 'file', size: 1, chunks: [chunk] };
  expect(encode([{ ...root, mode: 0o755, mtime: { seconds: -1, nanoseconds: 7 } }, file]).toString('hex')).toBe(
    '0a020801' +
      '1209' +
      '1001' +
      '18ed03' +
      '3001' +
      '3807' +
      '122d' +
      '0a0166' +
      '18a403' +
      '4801' +
      `5220${chunk.hash.toString('hex')}` +
      '5a0101',
  );
});

test('nothing but a FormatError comes out of damaged or hostile bytes', () => {
  const attempt = (bytes: Buffer) => {
    try {
      decode(bytes, 7);
    } catch (error) {
      expect(error).toBeInstanceOf(FormatError);
    }
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => attempt(Buffer.from(bytes))),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(
      treeArbitrary,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }),
      (entries, changes) => {
        const bytes = encode(entries);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        attempt(bytes);
      },
    ),
    { numRuns: 1000 },
  );
});

/** A manifest of entries that the encoder would refuse. */
function forge(...entries: Partial<Record<'path' | 'target', string>>[]): Buffer {
  const out = new WireWriter();
  const message = new WireWriter();
  message.number(1, 1);
  out.bytes(1, message.view());
  for (const { path = '', target = '' } of entries) {
    message.clear();
    message.latin1(1, path);
    message.number(2, path === '' || path.endsWith('D') ? 1 : path.endsWith('S') ? 2 : path.endsWith('H') ? 3 : 0);
    message.latin1(13, target);
    out.bytes(2, message.view(), true);
  }
  return Buffer.from(out.view());
}

test.each([
  ['no root', [{ path: 'a' }], 'root'],
  ['no entries', [], 'root'],
  ['an absolute path', [{}, { path: '/etc' }], 'proper'],
  ['a path that climbs out', [{}, { path: '..' }], 'proper'],
  ['a path that climbs further in', [{}, { path: 'D' }, { path: 'D/..' }], 'proper'],
  ['a dot', [{}, { path: '.' }], 'proper'],
  ['an empty part', [{}, { path: 'D' }, { path: 'D//a' }], 'directory'],
  ['a slash at the end', [{}, { path: 'D' }, { path: 'D/' }], 'proper'],
  ['a NUL', [{}, { path: 'a\0b' }], 'proper'],
  ['the same path twice', [{}, { path: 'a' }, { path: 'a' }], 'order'],
  ['paths out of order', [{}, { path: 'b' }, { path: 'a' }], 'order'],
  ['a file below a symlink', [{}, { path: 'S', target: '/etc' }, { path: 'S/passwd' }], 'directory'],
  ['a file below a file', [{}, { path: 'a' }, { path: 'a/b' }], 'directory'],
  ['a file in a directory that is not there', [{}, { path: 'x/y' }], 'directory'],
  ['a hard link to a later path', [{}, { path: 'aH', target: 'b' }, { path: 'b' }], 'hard link'],
  ['a hard link to a directory', [{}, { path: 'D' }, { path: 'xH', target: 'D' }], 'hard link'],
  [
    'a hard link to a hard link',
    [{}, { path: 'a' }, { path: 'bH', target: 'a' }, { path: 'cH', target: 'bH' }],
    'hard link',
  ],
  ['a hard link out of the tree', [{}, { path: 'xH', target: '/etc/shadow' }], 'hard link'],
  ['a symlink to nothing', [{}, { path: 'S' }], 'symlink'],
  ['a symlink with a NUL', [{}, { path: 'S', target: 'a\0' }], 'symlink'],
])('a manifest with %s is refused', (_, entries, problem) => {
  expect(() => decode(forge(...entries))).toThrow(FormatError);
  expect(() => decode(forge(...entries))).toThrow(problem);
});

test('content that does not add up is refused', () => {
  const chunk = { hash: randomBytes(32), length: 10 };
  const file = (part: Partial<Entry>) => () =>
    encode([root, { ...attributes, path: 'f' as RawPath, type: 'file', ...part }]);
  expect(file({ size: 11, chunks: [chunk] })).toThrow('do not make up');
  expect(file({ size: 30, chunks: [chunk], segments: [{ offset: 25, length: 10 }] })).toThrow('segments');
  expect(
    file({
      size: 30,
      chunks: [chunk],
      segments: [
        { offset: 5, length: 5 },
        { offset: 9, length: 5 },
      ],
    }),
  ).toThrow('segments');
  expect(file({ size: 5 << 20, chunks: [{ ...chunk, length: 5 << 20 }] })).toThrow('length');
  expect(
    file({
      size: 30,
      chunks: [chunk],
      segments: [
        { offset: 5, length: 5 },
        { offset: 10, length: 5 },
      ],
    }),
  ).not.toThrow();
});

test('a length that promises more than there is takes no memory', () => {
  const bytes = Buffer.from('0a02080112ffffffff7f', 'hex');
  expect(() => decode(bytes)).toThrow('too long');
  expect(() => decode(Buffer.from('0a02080112ffff7f', 'hex'))).toThrow('cut short');
});

test('fields of a later format survive, in entries and beside them', () => {
  const later = Buffer.from('8001' + '07' + '8a01' + '03616263', 'hex');
  const bytes = encode([root, { ...attributes, path: 'f' as RawPath, type: 'fifo', unknown: later }]);
  const [, entry] = decode(Buffer.concat([bytes, Buffer.from('1a0178' + '2001', 'hex')]));
  expect(Buffer.from(entry?.unknown ?? []).equals(later)).toBe(true);
  expect(encode([root, entry as Entry]).equals(bytes)).toBe(true);
});

test('a later format as a whole is refused', () => {
  expect(() => decode(Buffer.from('0a020802', 'hex'))).toThrow('format 2');
});
