import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type ListedPath, ListingParser } from './golden-listing.ts';

const record = 'f 4755 4000000000 7 10737518240 -1.5000000000 1795228194.6136947740 2154862 65024 2 ./a b\nc\xff\0';

function parse(output: string, length: number): ListedPath[] {
  const parser = new ListingParser();
  const bytes = Buffer.from(output, 'latin1');
  const found: ListedPath[] = [];
  for (let at = 0; at < bytes.length; at += length) {
    const records = parser.push(bytes.subarray(at, at + length));
    if (!Array.isArray(records)) throw new Error(records.problem);
    found.push(...records);
  }
  expect(parser.incomplete).toBe(false);
  return found;
}

it('reads records in pieces of any length', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 400 }), (length) => {
      const found = parse(`d 755 0 0 4096 0.0 0.0 2 65024 5 .\0${record}`, length);
      expect(found.map(({ path }) => path)).toEqual(['', 'a b\nc\xff']);
      expect(found[1]).toEqual({
        path: 'a b\nc\xff',
        type: 'f',
        mode: 0o4755,
        uid: 4_000_000_000,
        gid: 7,
        size: 10_737_518_240,
        mtime: { seconds: -1, nanoseconds: 500_000_000 },
        ctime: { seconds: 1_795_228_194, nanoseconds: 613_694_774 },
        inode: '2154862',
        device: '65024',
        links: 2,
      });
    }),
  );
});

it('names what is no record', () => {
  expect(new ListingParser().push(Buffer.from('find: unrecognized: -printf\0'))).toHaveProperty('problem');
});

it('knows when it was cut short', () => {
  const parser = new ListingParser();
  parser.push(Buffer.from(record.slice(0, 30), 'latin1'));
  expect(parser.incomplete).toBe(true);
});
