import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RawPath } from '../foundation/brand.ts';
import type { DataSegment, Entry } from './entry.ts';
import { readTar, type TarMember } from './tar.ts';
import { dataLength, plainTarHeader, tarEnd, tarHeaders, tarPadding } from './tar-writer.ts';

const base = { mode: 0o644, uid: 0, gid: 0, mtime: { seconds: 0, nanoseconds: 0 } };

/** An archive of entries whose data is all the byte `x`. */
function archive(entries: readonly Entry[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const entry of entries) {
    const length = entry.type === 'file' ? dataLength(entry) : 0;
    parts.push(tarHeaders(entry), Buffer.alloc(length, 'x'), Buffer.alloc(tarPadding(length)));
  }
  return Buffer.concat([...parts, tarEnd]);
}

async function read(bytes: Buffer): Promise<(TarMember & { content: never; text: string })[]> {
  const members: (TarMember & { content: never; text: string })[] = [];
  for await (const member of readTar(one(bytes), 'test')) {
    let text = '';
    for await (const piece of member.content()) text += Buffer.from(piece).toString('latin1');
    members.push({ ...member, text } as never);
  }
  return members;
}

async function* one(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes;
}

const chunk = (length: number) => ({ hash: new Uint8Array(32), length });

describe('tarHeaders', () => {
  it('is one block where the header can say it all', () => {
    const entry: Entry = { ...base, path: 'etc/fstab' as RawPath, type: 'file', size: 3, chunks: [chunk(3)] };
    const header = tarHeaders(entry);
    expect(header.length).toBe(512);
    expect(header.toString('latin1', 0, 10)).toBe('etc/fstab\0');
    expect(header.toString('latin1', 257, 265)).toBe('ustar\x0000');
  });

  it('calls the root ./ and gives directories a slash', async () => {
    const directory = (path: string): Entry => ({ ...base, path: path as RawPath, type: 'directory' });
    const bytes = archive([directory(''), directory('a')]);
    expect(bytes.toString('latin1', 0, 3)).toBe('./\0');
    expect(bytes.toString('latin1', 512, 515)).toBe('a/\0');
    expect((await read(bytes)).map(({ path }) => path)).toEqual(['.', 'a']);
  });

  it('keeps a socket for us, as a FIFO for others', async () => {
    const bytes = archive([{ ...base, path: 's' as RawPath, type: 'socket' }]);
    expect((await read(bytes))[0]?.type).toBe('socket');
    expect(bytes.toString('latin1', 1024 + 156, 1024 + 157)).toBe('6');
  });

  it('gives back every attribute of any entry', async () => {
    await fc.assert(
      fc.asyncProperty(entries(), async (list) => {
        const members = await read(archive(list));
        expect(members.length).toBe(list.length);
        list.forEach((entry, index) => {
          const member = members[index];
          expect(member).toMatchObject({
            path: entry.path,
            type: entry.type,
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            mtime: entry.mtime,
            size: entry.type === 'file' ? entry.size : 0,
            target: entry.target ?? '',
            major: entry.major ?? 0,
            minor: entry.minor ?? 0,
          });
          expect(member?.text.length).toBe(entry.type === 'file' ? dataLength(entry) : 0);
          expect(member?.segments).toEqual(entry.segments);
          const plain = (xattrs: Entry['xattrs']) =>
            (xattrs ?? []).map(({ name, value }) => [name, Buffer.from(value).toString('hex')]);
          expect(plain(member?.xattrs)).toEqual(entry.type === 'hardlink' ? [] : plain(entry.xattrs));
        });
      }),
      { numRuns: 300 },
    );
  });

  it('says lengths over 8 GiB', async () => {
    const large: Entry = { ...base, path: 'l' as RawPath, type: 'file', size: 2 ** 34, chunks: [chunk(2 ** 34)] };
    const [member] = await read(Buffer.concat([tarHeaders(large), tarEnd])).catch(() => []);
    // The content is not there: what counts is that it is asked for.
    expect(member).toBeUndefined();
    expect(tarHeaders(large).toString('latin1')).toContain('size=17179869184\n');
    const header = plainTarHeader('blob', 2 ** 34);
    const first = await readTar(one(header), 'test').next();
    expect(first.value).toMatchObject({ size: 2 ** 34, storedSize: 2 ** 34, offset: 512 });
  });
});

function entries(): fc.Arbitrary<Entry[]> {
  const byte = (from: number) => fc.integer({ min: from, max: 255 }).map((code) => String.fromCharCode(code));
  const name = fc
    .string({ unit: byte(1), minLength: 1, maxLength: 150 })
    .map((text) => text.replaceAll('/', '-'))
    .filter((text) => text !== '.' && text !== '..');
  const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/') as RawPath);
  const common = fc.record({
    path,
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: fc.integer({ min: 0, max: 0xfffffffe }),
    gid: fc.integer({ min: 0, max: 0xfffffffe }),
    mtime: fc.record({
      seconds: fc.oneof(fc.integer({ min: -(2 ** 33), max: 2 ** 34 }), fc.constantFrom(-1, 0, 1)),
      nanoseconds: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 999_999_999 })),
    }),
  });
  const xattrs = fc
    .uniqueArray(
      fc.record({
        name: fc.string({ unit: byte(1), minLength: 1, maxLength: 40 }),
        value: fc.uint8Array({ maxLength: 80 }),
      }),
      { selector: ({ name: key }) => key, maxLength: 3 },
    )
    .map((list) => list.sort((left, right) => (left.name < right.name ? -1 : 1)));
  const target = fc.string({
    unit: byte(1),
    minLength: 1,
    maxLength: 200,
  }) as fc.Arbitrary<string> as fc.Arbitrary<RawPath>;
  const file = fc.record({ gaps: fc.array(fc.nat(2000), { maxLength: 8 }), sparse: fc.boolean() }).map(fileOf);
  const device = { major: fc.nat(0xfff), minor: fc.nat(0xfffff) };
  const kinds = fc.oneof(
    file,
    fc.record({ type: fc.constant('directory' as const) }),
    fc.record({ type: fc.constant('fifo' as const) }),
    fc.record({ type: fc.constant('socket' as const) }),
    fc.record({ type: fc.constantFrom('symlink' as const, 'hardlink' as const), target }),
    fc.record({ type: fc.constantFrom('character' as const, 'block' as const), ...device }),
  );
  return fc.array(
    fc.tuple(common, kinds, xattrs).map(([own, kind, attributes]) => ({ ...own, ...kind, xattrs: attributes })),
    { maxLength: 5 },
  );
}

/** A file whose data and holes alternate. */
function fileOf({ gaps, sparse }: { gaps: number[]; sparse: boolean }): Partial<Entry> & { type: 'file' } {
  if (!sparse) {
    const size = gaps.reduce((sum, length) => sum + length, 0);
    return { type: 'file', size, chunks: size === 0 ? [] : [chunk(size)] };
  }
  const segments: DataSegment[] = [];
  let at = 1;
  gaps.forEach((length, index) => {
    if (index % 2 === 0 && length > 0) segments.push({ offset: at, length });
    at += length + 1;
  });
  const data = segments.reduce((sum, { length }) => sum + length, 0);
  return { type: 'file', size: at, segments, chunks: data === 0 ? [] : [chunk(data)] };
}
