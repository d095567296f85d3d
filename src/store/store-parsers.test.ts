import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Digest, digestFromHex } from '../foundation/brand.ts';
import { FormatError } from '../image/format-error.ts';
import { bitAt, ChunkUses, countBits, formatUses, parseUses } from './chunk-uses.ts';
import { formatHints, parseHints } from './hints.ts';
import { formatPackList, parsePackList } from './pack-list.ts';
import { formatRetiredMark, parseRetiredMark } from './retired-mark.ts';
import { formatStoreIndex, parseStoreIndex } from './store-index.ts';

const hex = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const digest: fc.Arbitrary<Digest> = hex.map(digestFromHex);
const uses = fc
  .dictionary(hex, fc.tuple(fc.integer({ min: 1, max: 300 }), fc.array(fc.nat(299), { minLength: 1 })), { maxKeys: 6 })
  .map((packs) => {
    const made = new ChunkUses();
    for (const [pack, [chunks, wanted]] of Object.entries(packs))
      for (const chunk of wanted) made.note(pack, chunks, chunk % chunks);
    return made;
  });

/** Whatever comes: a value, or a `FormatError`. */
function survives(parse: () => unknown): void {
  try {
    parse();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
  }
}

/** Good bytes with one bit changed, or cut. */
const hurt = (bytes: Buffer) =>
  fc.oneof(
    fc.nat(Math.max(0, bytes.length * 8 - 1)).map((bit) => {
      const bad = Buffer.from(bytes);
      bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return bad;
    }),
    fc.nat(Math.max(0, bytes.length - 1)).map((length) => bytes.subarray(0, length)),
  );

describe('use files', () => {
  test('come back as they were', () => {
    fc.assert(
      fc.property(digest, uses, (version, before) => {
        const after = parseUses(version, formatUses(version, before));
        expect(new Map([...after.packs].toSorted())).toEqual(new Map([...before.packs].toSorted()));
      }),
    );
  });

  test('are not believed with one bit changed, cut short, or under another name', () => {
    fc.assert(
      fc.property(
        digest,
        uses.chain((made) => fc.tuple(fc.constant(made), digest)),
        fc.infiniteStream(fc.nat()),
        (version, [made, other], numbers) => {
          const good = formatUses(version, made);
          expect(() => parseUses(other, good)).toThrow(FormatError);
          const at = (numbers.next().value ?? 0) % good.length;
          const bad = Buffer.from(good);
          bad[at] = (bad[at] ?? 0) ^ (1 << (at & 7));
          expect(() => parseUses(version, bad)).toThrow(FormatError);
          expect(() => parseUses(version, good.subarray(0, at))).toThrow(FormatError);
        },
      ),
    );
  });

  test('add up', () => {
    fc.assert(
      fc.property(uses, uses, (left, right) => {
        const both = new ChunkUses();
        both.addAll(left);
        for (const [pack, use] of right.packs)
          if (both.packs.get(pack)?.chunks === undefined) both.packs.set(pack, use);
        for (const [pack, use] of left.packs) {
          expect(countBits(both.packs.get(pack) ?? use)).toBeGreaterThanOrEqual(countBits(use));
          for (let chunk = 0; chunk < use.chunks; chunk += 1)
            if (bitAt(use, chunk)) expect(both.has(pack, chunk)).toBe(true);
        }
      }),
    );
  });
});

test('marks of retired packs come back, and are not believed when they were changed', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(digest, { maxLength: 5 }).chain((users) => {
        const text = formatRetiredMark(users);
        return fc.tuple(fc.constant(users), fc.constant(text), hurt(Buffer.from(text)));
      }),
      ([users, text, bad]) => {
        expect(parseRetiredMark(text)).toEqual(users.toSorted());
        expect(() => parseRetiredMark(bad.toString('latin1'))).toThrow(FormatError);
      },
    ),
  );
});

test('lists of packs come back, and nothing but a list is one', () => {
  const line = fc.record({
    pack: hex,
    tableOffset: fc.integer({ min: 1, max: 2 ** 40 }),
    more: fc.integer({ min: 1, max: 2 ** 30 }),
  });
  fc.assert(
    fc.property(fc.uniqueArray(line, { selector: ({ pack }) => pack }), (made) => {
      const lines = made.map(({ pack, tableOffset, more }) => ({ pack, tableOffset, packLength: tableOffset + more }));
      const text = formatPackList(lines);
      expect(parsePackList(text)).toEqual(lines.toSorted((left, right) => (left.pack < right.pack ? -1 : 1)));
      expect(parsePackList(`${text}x`)).toBeUndefined();
      if (text !== '') expect(parsePackList(text.slice(0, -1))).toBeUndefined();
    }),
  );
});

test('hints come back, and are not believed when they were changed', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }).chain((content) => {
        const bytes = formatHints([content.subarray(0, 100), content.subarray(100)]);
        return fc.tuple(fc.constant(content), fc.constant(bytes), hurt(bytes));
      }),
      ([content, good, bad]) => {
        expect(Buffer.from(parseHints(good)).equals(content)).toBe(true);
        let found: Buffer | undefined;
        survives(() => {
          found = parseHints(bad);
        });
        // A bit of the compressed form that says nothing may change; the content may not.
        if (found !== undefined) expect(found.equals(content)).toBe(true);
      },
    ),
  );
});

test('no bytes make a parser do anything but refuse', () => {
  const index = Buffer.from(formatStoreIndex([{ name: 'web', versions: [], tags: { stable: 1 } }]));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 400 }), hurt(index)), (bytes) => {
      const buffer = Buffer.from(bytes);
      survives(() => parseUses(digestFromHex('00'.repeat(32)), buffer));
      survives(() => parseRetiredMark(buffer.toString('latin1')));
      survives(() => parsePackList(buffer.toString('latin1')));
      survives(() => parseHints(buffer));
      survives(() => parseStoreIndex(buffer));
    }),
    { numRuns: 500 },
  );
});
