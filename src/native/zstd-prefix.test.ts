import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { NativeBuffer } from './native-buffer.ts';
import {
  type Filled,
  nativePrefixCompressor,
  nativePrefixDecompressor,
  type PrefixCompressor,
  type PrefixDecompressor,
  zlibPrefixCompressor,
  zlibPrefixDecompressor,
} from './zstd-prefix.ts';

function filled(bytes: Buffer): Filled {
  const buffer = new NativeBuffer(bytes.length);
  buffer.bytes.set(bytes);
  return { buffer, length: bytes.length };
}

const old = randomBytes(300_000);
const changed = Buffer.concat([old.subarray(0, 100_000), Buffer.from('changed'), old.subarray(100_200)]);
const prefix = filled(old);
const source = filled(changed);

function required<Thing>(thing: Thing | undefined): Thing {
  if (thing === undefined) throw new Error('not to be had');
  return thing;
}

const compressors: [string, PrefixCompressor][] = [
  ['direct', required(nativePrefixCompressor(9))],
  ['node:zlib', zlibPrefixCompressor(9)],
];
const decompressors: [string, PrefixDecompressor][] = [
  ['direct', required(nativePrefixDecompressor())],
  ['node:zlib', zlibPrefixDecompressor()],
];

describe('zstd with a prefix', () => {
  it.each(
    compressors.flatMap(([one, compressor]) =>
      decompressors.map(([other, decompressor]) => [one, other, compressor, decompressor] as const),
    ),
  )('compresses by %s what %s reads, to hardly more than what changed', (_one, _other, compressor, decompressor) => {
    const frame = Buffer.from(compressor.compress(prefix, source));
    expect(frame.length).toBeLessThan(200);
    const target = new NativeBuffer(changed.length);
    expect(decompressor.decompress(frame, prefix, target)).toBe(changed.length);
    expect(target.bytes.equals(changed)).toBe(true);
    expect(decompressor.decompress(frame, prefix, new NativeBuffer(1000))).toBeUndefined();
    expect(decompressor.decompress(frame.subarray(0, -1), prefix, target)).toBeUndefined();
    expect(decompressor.decompress(randomBytes(300), prefix, target)).toBeUndefined();
    // One that was damaged before leaves nothing behind for the next.
    expect(decompressor.decompress(frame, prefix, target)).toBe(changed.length);
    expect(target.bytes.equals(changed)).toBe(true);
  });

  it('works with no prefix, and again with another', () => {
    const compressor = required(nativePrefixCompressor(3));
    const decompressor = required(nativePrefixDecompressor());
    const none = filled(Buffer.alloc(0));
    const target = new NativeBuffer(changed.length);
    for (const each of [none, prefix, none, prefix]) {
      const frame = Buffer.from(compressor.compress(each, source));
      expect(frame.length < 300).toBe(each === prefix);
      expect(decompressor.decompress(frame, each, target)).toBe(changed.length);
      expect(target.bytes.equals(changed)).toBe(true);
    }
    compressor.free();
    decompressor.free();
  });

  it('finds what lies far back', () => {
    const large = filled(Buffer.concat([old, randomBytes(40 << 20)]));
    const frame = required(nativePrefixCompressor(9)).compress(large, source);
    expect(frame.length).toBeLessThan(300);
    const target = new NativeBuffer(changed.length);
    expect(required(nativePrefixDecompressor()).decompress(Buffer.from(frame), large, target)).toBe(changed.length);
    expect(target.bytes.equals(changed)).toBe(true);
  });
});
