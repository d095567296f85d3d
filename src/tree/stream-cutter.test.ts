import { createCipheriv, hash } from 'node:crypto';
import { expect, test } from 'vitest';
import { createGearTable, findCut } from '../image/cutter.ts';
import { StreamCutter } from './stream-cutter.ts';

const noise = (length: number) =>
  createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16)).update(Buffer.alloc(length));

/** The lengths of a stream's chunks, and what they hold together, hashed. */
async function cut(pieces: Iterable<Uint8Array>): Promise<{ lengths: number[]; content: string }> {
  const parts: Uint8Array[] = [];
  const cutter = new StreamCutter(async (bytes, lengths) => {
    parts.push(bytes);
    let at = 0;
    return Array.from(lengths, (length) => {
      at += length;
      return { hash: hash('sha256', bytes.subarray(at - length, at), 'buffer'), length };
    });
  });
  const { stored } = await cutter.store(pieces);
  await cutter.settle();
  return { lengths: (await stored).map(({ length }) => length), content: hash('sha256', Buffer.concat(parts)) };
}

function* piecesOf(data: Uint8Array, length: number): Generator<Uint8Array> {
  for (let at = 0; at < data.length; at += length) yield data.subarray(at, at + length);
}

test('a stream is cut as a file is, in whatever pieces it comes', async () => {
  const data = noise(21_000_000);
  const gear = createGearTable();
  const lengths: number[] = [];
  for (let at = 0; at < data.length; at += lengths.at(-1) ?? 1)
    lengths.push(findCut(gear, data, at, data.length, at) - at);
  const content = hash('sha256', data);
  for (const length of [data.length, 1 << 20, 77_777]) {
    expect(await cut(piecesOf(data, length))).toEqual({ lengths, content });
  }
});

test.each([1, 4 << 20])('a stream of %d bytes is one chunk', async (length) => {
  const data = noise(length);
  expect((await cut(piecesOf(data, 65_536))).lengths).toEqual([length]);
});

test('an empty stream has no chunks', async () => {
  expect((await cut([])).lengths).toEqual([]);
});
