import { createPrivateKey, hash } from 'node:crypto';
import type { RawPath } from '../../src/foundation/brand.ts';
import { comparePaths, type DataSegment, type Entry } from '../../src/image/entry.ts';
import { createSigner } from '../../src/image/signature.ts';

/** The private key of RFC 8032, test 1, which signs the store in `tests/fixtures/image-format`. Known to everyone. */
export const fixtureSigner = createSigner(
  createPrivateKey({
    key: Buffer.from(
      '302e020100300506032b6570042204209d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
      'hex',
    ),
    format: 'der',
    type: 'pkcs8',
  }),
);

/** Contents of the chunks in the fixture's one pack, in order. */
export const fixtureContents = {
  page: Buffer.from('<h1>A page</h1>\n'),
  part: Buffer.alloc(3000, 'the first part '),
  rest: Buffer.alloc(70, 'and the rest '),
};

const time = { seconds: 1_700_000_000, nanoseconds: 123_456_789 };
const file = { type: 'file' as const, mode: 0o644, uid: 0, gid: 0, mtime: time };

function content(names: (keyof typeof fixtureContents)[], segments?: DataSegment[], size?: number) {
  const chunks = names.map((name) => ({
    hash: hash('sha256', fixtureContents[name], 'buffer'),
    length: fixtureContents[name].length,
  }));
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  return { chunks, size: size ?? length, ...(segments ? { segments } : {}) };
}

const entries: (Omit<Entry, 'path'> & { path: string })[] = [
  { ...file, path: '', type: 'directory', mode: 0o755 },
  { ...file, path: 'dev', type: 'directory', mode: 0o755 },
  { ...file, path: 'dev/null', type: 'character', mode: 0o666, major: 1, minor: 3 },
  { ...file, path: 'dev/sda', type: 'block', mode: 0o660, gid: 6, major: 8, minor: 1_048_575 },
  { ...file, path: 'etc', type: 'directory', mode: 0o755 },
  { ...file, path: 'etc/empty', ...content([]) },
  { ...file, path: 'etc/shadow', mode: 0o640, gid: 42, ...content(['page']) },
  { ...file, path: 'etc-old', type: 'symlink', mode: 0o777, target: 'etc/./\xff' as RawPath },
  { ...file, path: 'hole', ...content([], [], 2 ** 40) },
  { ...file, path: 'link', type: 'hardlink', mode: 0o4755, target: 'bin-\xe9\xff' as RawPath },
  {
    ...file,
    path: 'bin-\xe9\xff',
    mode: 0o4755,
    uid: 4_294_967_294,
    mtime: { seconds: -86_401, nanoseconds: 1 },
    xattrs: [
      { name: 'security.capability', value: Buffer.from('0100000200040000000000000000000000000000', 'hex') },
      { name: 'user.empty', value: Buffer.alloc(0) },
    ],
    ...content(['page']),
  },
  {
    ...file,
    path: 'sparse',
    ...content(
      ['part', 'rest'],
      [
        { offset: 4096, length: 3000 },
        { offset: 1_000_000, length: 70 },
      ],
      2_000_000,
    ),
  },
  { ...file, path: 'two-chunks', ...content(['part', 'rest']) },
  { ...file, path: 'run', type: 'directory', mode: 0o1777 },
  { ...file, path: 'run/fifo', type: 'fifo', mode: 0o600 },
  { ...file, path: 'run/socket', type: 'socket', mode: 0o700, unknown: Buffer.from('8a0103616263', 'hex') },
];

/** Every kind of entry and attribute, in manifest order. */
export const fixtureEntries = entries
  .map((entry) => ({ ...entry, path: entry.path as RawPath }))
  .toSorted((left, right) => comparePaths(left.path, right.path)) satisfies Entry[];
