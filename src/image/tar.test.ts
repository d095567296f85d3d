import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ImprintError } from '../foundation/errors.ts';
import { readTar, type TarMember } from './tar.ts';

const block = 512;

type Read = TarMember & { bytes: string };

async function read(archive: Uint8Array, pieceLength = 1000, drain = true): Promise<Read[]> {
  const members: Read[] = [];
  for await (const member of readTar(pieces(archive, pieceLength), 'test')) {
    const parts: Uint8Array[] = [];
    if (drain) for await (const piece of member.content()) parts.push(piece);
    members.push({ ...member, bytes: Buffer.concat(parts).toString('latin1') });
  }
  return members;
}

async function* pieces(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

interface HeaderFields {
  name?: string;
  flag?: string;
  size?: number;
  mode?: number;
  uid?: number;
  mtime?: number;
  link?: string;
  prefix?: string;
  magic?: string;
  major?: number;
  minor?: number;
}

/** One header block as a tar writes it. */
function header(fields: HeaderFields): Buffer {
  const bytes = Buffer.alloc(block);
  const octal = (value: number, at: number, length: number) =>
    bytes.write(value.toString(8).padStart(length - 1, '0'), at, 'latin1');
  bytes.write(fields.name ?? 'x', 0, 100, 'latin1');
  octal(fields.mode ?? 0o644, 100, 8);
  octal(fields.uid ?? 0, 108, 8);
  octal(0, 116, 8);
  octal(fields.size ?? 0, 124, 12);
  octal(fields.mtime ?? 0, 136, 12);
  bytes.write(fields.flag ?? '0', 156, 'latin1');
  bytes.write(fields.link ?? '', 157, 100, 'latin1');
  bytes.write(fields.magic ?? 'ustar\x0000', 257, 'latin1');
  octal(fields.major ?? 0, 329, 8);
  octal(fields.minor ?? 0, 337, 8);
  bytes.write(fields.prefix ?? '', 345, 155, 'latin1');
  return sealed(bytes);
}

function sealed(bytes: Buffer): Buffer {
  bytes.fill(0x20, 148, 156);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return bytes;
}

function padded(content: string | Buffer): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content, 'latin1') : content;
  return Buffer.concat([bytes, Buffer.alloc((block - (bytes.length % block)) % block)]);
}

function pax(records: Record<string, string>, flag = 'x'): Buffer {
  const text = Object.entries(records).map(([keyword, value]) => {
    const body = ` ${keyword}=${value}\n`;
    let length = body.length + 1;
    while (String(length).length + body.length !== length) length = String(length).length + body.length;
    return `${length}${body}`;
  });
  const content = text.join('');
  return Buffer.concat([header({ flag, size: content.length }), padded(content)]);
}

const end = Buffer.alloc(2 * block);

describe('readTar', () => {
  it('reads an empty archive', async () => {
    expect(await read(end)).toEqual([]);
  });

  it('reads files, passing over content that nobody asks for', async () => {
    const archive = Buffer.concat([
      header({ name: 'a', size: 5, mode: 0o4755, uid: 7, mtime: 99 }),
      padded('hello'),
      header({ name: 'b/', prefix: 'long/prefix' }),
      header({ name: 'c', flag: '2', link: 'target' }),
      header({ name: 'd', flag: '3', major: 4, minor: 64 }),
      end,
    ]);
    const [a, b, c, d] = await read(archive);
    expect(a).toMatchObject({ path: 'a', type: 'file', mode: 0o4755, uid: 7, size: 5, bytes: 'hello' });
    expect(a?.mtime).toEqual({ seconds: 99, nanoseconds: 0 });
    expect(b).toMatchObject({ path: 'long/prefix/b', type: 'directory' });
    expect(c).toMatchObject({ type: 'symlink', target: 'target' });
    expect(d).toMatchObject({ type: 'character', major: 4, minor: 64 });
    expect((await read(archive, 100, false)).map(({ path }) => path)).toEqual(['a', 'long/prefix/b', 'c', 'd']);
  });

  it('takes from pax records what a header cannot hold', async () => {
    const records = {
      path: './\xff\nname',
      uid: '4000000000',
      mtime: '-0.5',
      ctime: '1795228194.638931276',
      'SCHILY.xattr.user.b%3Dc': 'a=b\n\0',
      'SCHILY.xattr.security.capability': '\x01\0',
    };
    const [member] = await read(Buffer.concat([pax(records), header({ size: 1 }), padded('x'), end]));
    expect(member).toMatchObject({ path: './\xff\nname', uid: 4_000_000_000, bytes: 'x' });
    expect(member?.mtime).toEqual({ seconds: -1, nanoseconds: 500_000_000 });
    expect(member?.ctime).toEqual({ seconds: 1_795_228_194, nanoseconds: 638_931_276 });
    expect(member?.xattrs).toEqual([
      { name: 'security.capability', value: Buffer.from([1, 0]) },
      { name: 'user.b=c', value: Buffer.from('a=b\n\0', 'latin1') },
    ]);
  });

  it('takes the attributes that bsdtar and tar --selinux write', async () => {
    const records = {
      'LIBARCHIVE.xattr.user.a%25b': Buffer.from('value').toString('base64').replaceAll('=', ''),
      'LIBARCHIVE.xattr.user.both': 'bm90IHRoaXM',
      'SCHILY.xattr.user.both': 'this',
      'RHT.security.selinux': 'system_u:object_r:etc_t:s0',
      'SCHILY.acl.access': 'user::rw-,user:bob:r--',
    };
    const [member] = await read(Buffer.concat([pax(records), header({}), end]));
    expect(member?.xattrs.map(({ name, value }) => [name, Buffer.from(value).toString('latin1')])).toEqual([
      ['security.selinux', 'system_u:object_r:etc_t:s0\0'],
      ['user.a%b', 'value'],
      ['user.both', 'this'],
    ]);
    expect(member?.textAcl).toBe(true);
  });

  it('does not carry the records of one member over to the next, but global ones', async () => {
    const archive = [pax({ gid: '5' }, 'g'), pax({ path: 'one' }), header({}), header({ name: 'two' }), end];
    expect(await read(Buffer.concat(archive))).toMatchObject([
      { path: 'one', gid: 5 },
      { path: 'two', gid: 5 },
    ]);
  });

  it('reads the sparse files of GNU tar, 1.0 and 0.1', async () => {
    const map = '2\n1024\n3\n5000\n2\n';
    const one = Buffer.concat([
      pax({ 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.name': 's', 'GNU.sparse.realsize': '6000' }),
      header({ name: 'GNUSparseFile.1/s', size: block + 5 }),
      padded(map),
      padded('abcde'),
      end,
    ]);
    const list = Buffer.concat([
      pax({ 'GNU.sparse.size': '6000', 'GNU.sparse.map': '1024,3,5000,2', 'GNU.sparse.name': 's' }),
      header({ size: 5 }),
      padded('abcde'),
      end,
    ]);
    for (const archive of [one, list]) {
      const [member] = await read(archive);
      expect(member).toMatchObject({ path: 's', size: 6000, storedSize: 5, bytes: 'abcde' });
      expect(member?.segments).toEqual([
        { offset: 1024, length: 3 },
        { offset: 5000, length: 2 },
      ]);
    }
  });

  it('tells a file that is one hole from an empty one, and one without holes from a sparse one', async () => {
    const sparse = (map: string, size: string, content: string) =>
      Buffer.concat([
        pax({ 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': size }),
        header({ size: block + content.length }),
        padded(map),
        padded(content),
      ]);
    const members = await read(Buffer.concat([sparse('1\n100\n0\n', '100', ''), sparse('1\n0\n2\n', '2', 'ab'), end]));
    expect(members[0]).toMatchObject({ size: 100, storedSize: 0, segments: [] });
    expect(members[1]).toMatchObject({ size: 2, bytes: 'ab' });
    expect(members[1]?.segments).toBeUndefined();
  });

  it.each([
    ['nothing at all', Buffer.alloc(0)],
    ['no end', header({})],
    ['half a header', header({}).subarray(0, 300)],
    ['half a file', Buffer.concat([header({ size: 2000 }), Buffer.alloc(700)])],
    ['a wrong checksum', Buffer.concat([header({}).fill(0x41, 0, 1), end])],
    [
      'a pax header without records',
      Buffer.concat([header({ flag: 'x', size: 9 }), padded('no record'), header({}), end]),
    ],
    [
      'a sparse map that overlaps',
      Buffer.concat([
        pax({ 'GNU.sparse.map': '5,3,6,2', 'GNU.sparse.size': '9' }),
        header({ size: 5 }),
        padded('abcde'),
        end,
      ]),
    ],
    [
      'a sparse map past the end',
      Buffer.concat([
        pax({ 'GNU.sparse.map': '5,5', 'GNU.sparse.size': '9' }),
        header({ size: 5 }),
        padded('abcde'),
        end,
      ]),
    ],
    ['a header as long as a disk', Buffer.concat([header({ flag: 'L', size: 2 ** 32 }), end])],
  ])('refuses %s', async (_, archive) => {
    await expect(read(archive)).rejects.toMatchObject({ code: 'tar-invalid' });
  });

  it('gives back any content and any name, in any pieces', async () => {
    const file = fc.record({
      name: fc.array(fc.integer({ min: 1, max: 255 }), { minLength: 1, maxLength: 300 }),
      content: fc.uint8Array({ maxLength: 2000 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(file, { maxLength: 5 }), fc.integer({ min: 1, max: 3000 }), async (files, length) => {
        const named = files.map(({ name, content }) => ({ name: `.${String.fromCharCode(...name)}x`, content }));
        const archive = named.flatMap(({ name, content }) => [
          pax({ path: name }),
          header({ size: content.length }),
          padded(Buffer.from(content)),
        ]);
        const members = await read(Buffer.concat([...archive, end]), length);
        expect(members.map(({ path, bytes }) => [path, bytes])).toEqual(
          named.map(({ name, content }) => [name, Buffer.from(content).toString('latin1')]),
        );
      }),
    );
  });

  it('ends on any bytes with members or with its own error, never otherwise', async () => {
    const valid = Buffer.concat([
      pax({ path: 'p', 'GNU.sparse.major': '1', 'GNU.sparse.realsize': '6000' }),
      header({ size: block + 5 }),
      padded('1\n1024\n5\n'),
      padded('abcde'),
      header({ name: 'last', size: 3 }),
      padded('end'),
      end,
    ]);
    const damage = fc.array(fc.tuple(fc.nat({ max: valid.length - 1 }), fc.nat({ max: 255 })), {
      minLength: 1,
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(damage, fc.nat({ max: valid.length }), async (changes, cut) => {
        const bytes = Buffer.from(valid.subarray(0, cut));
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        // Headers are sealed again, so that damage gets past the checksum.
        for (let at = 0; at + block <= bytes.length; at += block) {
          if (bytes.toString('latin1', at + 257, at + 262) === 'ustar') sealed(bytes.subarray(at, at + block));
        }
        await read(bytes).catch((error: unknown) => {
          expect(error).toBeInstanceOf(ImprintError);
          expect(error).toMatchObject({ code: 'tar-invalid' });
        });
      }),
      { numRuns: 500 },
    );
  });
});
