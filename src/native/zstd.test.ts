import { hash, randomBytes } from 'node:crypto';
import { zstdDecompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { NativeBuffer } from './native-buffer.ts';
import { bindSha256 } from './sha256.ts';
import {
  createCompressor,
  createDecompressor,
  nativeCompressor,
  nativeDecompressor,
  zlibCompressor,
  zlibDecompressor,
} from './zstd.ts';

const content = Buffer.concat([Buffer.from('imprint '.repeat(20_000)), randomBytes(300_000)]);
const source = new NativeBuffer(content.length + 7);
source.bytes.set(content, 7);

describe('zstd', () => {
  it('is had by direct calls', () => {
    expect(nativeCompressor(3)).toBeDefined();
    expect(nativeDecompressor()).toBeDefined();
  });

  it.each([
    ['direct', createCompressor(3), zlibDecompressor()],
    ['node:zlib', zlibCompressor(3), createDecompressor()],
  ] as const)('compresses by %s what the other reads', (_, compressor, decompressor) => {
    const frame = compressor.compress(source.bytes.subarray(7));
    expect(zstdDecompressSync(frame).equals(content)).toBe(true);
    const back = new NativeBuffer(content.length + 5);
    expect(decompressor.decompress(frame, back, 5)).toBe(content.length);
    expect(back.bytes.subarray(5).equals(content)).toBe(true);
    compressor.free();
    decompressor.free();
  });

  it.each([
    ['direct', createDecompressor()],
    ['node:zlib', zlibDecompressor()],
  ])('refuses damaged frames and too small a target by %s', (_, decompressor) => {
    const compressor = createCompressor(3);
    const frame = compressor.compress(source.bytes.subarray(7));
    const back = new NativeBuffer(content.length);
    expect(decompressor.decompress(frame.subarray(0, -1), back, 0)).toBeUndefined();
    expect(decompressor.decompress(randomBytes(500), back, 0)).toBeUndefined();
    expect(decompressor.decompress(frame, new NativeBuffer(1000), 0)).toBeUndefined();
  });
});

describe('sha256', () => {
  it('gives what node:crypto gives', () => {
    const target = new NativeBuffer(64);
    bindSha256()(source.at(7), content.length, target.at(32));
    expect(target.bytes.subarray(32).toString('hex')).toBe(hash('sha256', content));
  });
});
