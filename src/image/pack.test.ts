import { hash, randomBytes } from 'node:crypto';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FormatError } from './format-error.ts';
import {
  checkPackHead,
  chunkLimit,
  frameContentLimit,
  PackBuilder,
  packFooterLength,
  parsePackFooter,
  parsePackTable,
} from './pack.ts';

function build(contents: readonly Uint8Array[]) {
  const parts: Buffer[] = [];
  const builder = new PackBuilder({
    compress: (content) => zstdCompressSync(content),
    write: (bytes) => void parts.push(Buffer.from(bytes)),
  });
  for (const content of contents) builder.append(hash('sha256', content, 'buffer'), content);
  const finished = builder.finish();
  return { file: Buffer.concat(parts), finished };
}

function parse(file: Buffer) {
  checkPackHead(file);
  const place = parsePackFooter(file.subarray(-packFooterLength), file.length);
  return parsePackTable(file.subarray(place.tableOffset, place.tableOffset + place.tableLength), place);
}

/** All chunks of a pack, by a reader that knows only the table. */
function unpack(file: Buffer): Buffer[] {
  const table = parse(file);
  return Array.from({ length: table.chunks }, (_, chunk) => {
    const frame = table.chunkFrame[chunk] as number;
    const from = table.frameOffset[frame] as number;
    const content = zstdDecompressSync(file.subarray(from, from + (table.frameLength[frame] as number)));
    const at = table.chunkOffset[chunk] as number;
    const bytes = content.subarray(at, at + (table.chunkLength[chunk] as number));
    expect(hash('sha256', bytes, 'buffer').equals(table.hashes.subarray(chunk * 32, chunk * 32 + 32))).toBe(true);
    return bytes;
  });
}

test('chunks of every length come back, in order', () => {
  const contents = [1, 1000, chunkLimit - 1001, chunkLimit, 1, 5, chunkLimit, chunkLimit - 6, 1, 7].map((length) =>
    randomBytes(length),
  );
  const { file, finished } = build(contents);
  expect(unpack(file).every((content, index) => content.equals(contents[index] as Buffer))).toBe(true);
  expect(finished).toEqual({
    id: hash('sha256', file, 'hex'),
    bytes: file.length,
    chunks: contents.length,
    contentBytes: contents.reduce((sum, { length }) => sum + length, 0),
  });
  expect(Array.from(parse(file).frameContentLength)).toEqual([frameContentLimit, frameContentLimit, 8]);
});

test('many small chunks share frames', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 }), { maxLength: 40 }), (contents) => {
      const { file } = build(contents);
      expect(unpack(file).map((content) => content.toString('hex'))).toEqual(
        contents.map((content) => Buffer.from(content).toString('hex')),
      );
      expect(parse(file).frames).toBe(contents.length > 0 ? 1 : 0);
    }),
    { numRuns: 100 },
  );
});

test('a frame of very many small chunks ends before it is full', () => {
  const { file } = build(Array.from({ length: 10_000 }, (_, index) => Buffer.from(`chunk ${index}`)));
  const table = parse(file);
  expect(Array.from(table.frameFirstChunk)).toEqual([0, 4096, 8192]);
});

test('a reserved place that is not committed leaves nothing', () => {
  const parts: Buffer[] = [];
  const builder = new PackBuilder({
    compress: (content) => zstdCompressSync(content),
    write: (bytes) => void parts.push(Buffer.from(bytes)),
  });
  builder.reserve(1 << 20).fill(1);
  builder.reserve(10).fill(2);
  builder.commit(hash('sha256', Buffer.alloc(3, 2), 'buffer'), 3);
  builder.finish();
  expect(unpack(Buffer.concat(parts)).map((content) => content.toString('hex'))).toEqual(['020202']);
  expect(() => builder.append(new Uint8Array(32), Buffer.alloc(0))).toThrow(RangeError);
  expect(() => builder.append(new Uint8Array(32), Buffer.alloc(chunkLimit + 1))).toThrow(RangeError);
});

test('no byte of table and footer can change unseen, and nothing but a FormatError comes of it', () => {
  const { file } = build([randomBytes(100), randomBytes(1 << 20), randomBytes(5)]);
  const { tableOffset } = parse(file);
  for (let at = tableOffset; at < file.length; at += 1) {
    const bad = Buffer.from(file);
    bad[at] = (bad[at] as number) ^ (1 << (at % 8));
    expect(() => parse(bad), `byte ${at}`).toThrow(FormatError);
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(), (table, length) => {
      const place = { tableOffset: length, tableLength: table.length, tableHash: hash('sha256', table, 'buffer') };
      expect(() => parsePackTable(table, place)).toThrow(FormatError);
      expect(() => parsePackFooter(table, length)).toThrow(FormatError);
    }),
    { numRuns: 1000 },
  );
});
