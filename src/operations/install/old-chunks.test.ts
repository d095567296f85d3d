import { hash, randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import type { Digest } from '../../foundation/brand.ts';
import type { ChunkLocation, Store } from '../../store/store.ts';
import { decompress } from '../../store/zstd.ts';
import { OldChunks } from './old-chunks.ts';

const digest = `sha256:${'a'.repeat(64)}` as Digest;
const name = (content: Uint8Array) => hash('sha256', content);

/** A store that has what is asked of it, and says what that was. */
function askedStore(): { store: Store; asked: string[] } {
  const asked: string[] = [];
  const place = { pack: 'p', frameOffset: 0, frameLength: 1, frameContentLength: 1, offset: 0, length: 1 };
  const store = {
    location: 'http://store',
    locate: async (names: Iterable<string>) => {
      asked.push(...names);
      return new Map<string, ChunkLocation>([...asked].map((each) => [each, place]));
    },
    readPack: async (pack: string) => Buffer.from(pack),
    packFile: (pack: string) => `/${pack}`,
  } as unknown as Store;
  return { store, asked };
}

it('gives back each chunk from a run of frames, and has the store asked for the others only', async () => {
  const chunks = new OldChunks();
  const contents = [10, 700_000, 400_000, 3 << 20, 1, 900_000].map((length) => randomBytes(length));
  for (const content of contents) chunks.add(name(content), content);
  chunks.seal();
  expect(chunks.content).toBe(contents.reduce((sum, { length }) => sum + length, 0));
  expect(chunks.memory).toBeGreaterThan(chunks.content);
  const { store, asked } = askedStore();
  const source = chunks.before(store);
  const other = 'f'.repeat(64);
  const places = await source.locate([...contents.map(name), other], digest);
  expect(asked).toEqual([other]);
  const frames = new Set<number>();
  for (const content of contents) {
    const at = places.get(name(content)) as ChunkLocation;
    frames.add(at.frameOffset);
    expect(source.packFile(at.pack)).toBeUndefined();
    const frame = decompress(await source.readPack(at.pack, at.frameOffset, at.frameLength), at.frameContentLength);
    expect(frame.subarray(at.offset, at.offset + at.length).equals(content)).toBe(true);
  }
  expect(frames.size).toBeGreaterThan(2);
  const [first] = places.values();
  const all = [...frames].sort((a, b) => a - b);
  const [, second = 0, third = 0] = all;
  const run = await source.readPack(first?.pack ?? '', second, third - second);
  // Its memory is given away to a thread.
  expect([run.length, run.byteOffset, run.buffer.byteLength]).toEqual([third - second, 0, third - second]);
  await expect(source.readPack(first?.pack ?? '', second, third - second + 1)).rejects.toThrow('no frames');
  expect(Buffer.from(await source.readPack('p', 0, 1)).toString()).toBe('p');
  expect(source.packFile('p')).toBe('/p');
});

it('asks a store for nothing where all is there, and for all once it was let go of', async () => {
  const chunks = new OldChunks();
  const content = Buffer.from('content');
  chunks.add(name(content), content);
  chunks.seal();
  const { store, asked } = askedStore();
  const source = chunks.before(store);
  const wanted = name(Buffer.from('content'));
  const place = (await source.locate([wanted], digest)).get(wanted) as ChunkLocation;
  const frame = await source.readPack(place.pack, place.frameOffset, place.frameLength);
  expect(decompress(frame, 7).toString()).toBe('content');
  expect(asked).toEqual([]);
  chunks.clear();
  expect([chunks.content, chunks.memory, chunks.has(wanted)]).toEqual([0, 0, false]);
  await source.locate([wanted], digest);
  expect(asked).toEqual([wanted]);
});
