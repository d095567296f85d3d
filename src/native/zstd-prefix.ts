import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { requireFfi } from './library.ts';
import { NativeBuffer } from './native-buffer.ts';
import { bindZstd, isZstdError, zstdParameters } from './zstd-library.ts';

/** Memory that a call works on: `length` bytes from the beginning of `buffer`. */
export interface Filled {
  buffer: NativeBuffer;
  length: number;
}

/** Compresses content that is like a prefix which the reader has, too. Not for use by two threads. */
export interface PrefixCompressor {
  /** The frame; valid until the next call. */
  compress(prefix: Filled, source: Filled): Uint8Array;
  free(): void;
}

/** Reads what a `PrefixCompressor` made. Not for use by two threads. */
export interface PrefixDecompressor {
  /**
   * Decompresses one frame to the beginning of `target`; the length of its content, or undefined where it is damaged or does not fit. With
   * another prefix of the same length there is content, but not what was compressed.
   */
  decompress(frame: Uint8Array, prefix: Filled, target: NativeBuffer): number | undefined;
  free(): void;
}

const smallestWindow = 17;
/** Also looks for what lies far back beyond this length of prefix, by a table of its own. */
const longDistanceFrom = 1 << 20;

/** zstd's `refPrefix` by direct calls; as a dictionary by `node:zlib` where this Node does not show it. */
export function createPrefixCompressor(level: number): PrefixCompressor {
  return nativePrefixCompressor(level) ?? zlibPrefixCompressor(level);
}

/** See `createPrefixCompressor`. */
export function createPrefixDecompressor(): PrefixDecompressor {
  return nativePrefixDecompressor() ?? zlibPrefixDecompressor();
}

/** By direct calls; undefined where they are not to be had. */
export function nativePrefixCompressor(level: number): PrefixCompressor | undefined {
  const zstd = bindZstd();
  if (zstd === undefined) return undefined;
  const context = zstd.ZSTD_createCCtx();
  const set = (parameter: number, value: number) => check(zstd.ZSTD_CCtx_setParameter(context, parameter, value));
  set(zstdParameters.level, level);
  let target = new NativeBuffer(1 << 20);
  return {
    compress(prefix, source) {
      const room = source.length + (source.length >> 7) + 1024;
      if (target.size < room) {
        target.free();
        target = new NativeBuffer(room);
      }
      set(zstdParameters.windowLog, windowFor(prefix.length + source.length));
      // 1: on, 2: off.
      set(zstdParameters.longDistance, prefix.length >= longDistanceFrom ? 1 : 2);
      check(zstd.ZSTD_CCtx_refPrefix(context, prefix.buffer.pointer, BigInt(prefix.length)));
      const length = check(
        zstd.ZSTD_compress2(context, target.pointer, BigInt(target.size), source.buffer.pointer, BigInt(source.length)),
      );
      return target.bytes.subarray(0, length);
    },
    free: () => void zstd.ZSTD_freeCCtx(context),
  };
}

/** By direct calls; undefined where they are not to be had. */
export function nativePrefixDecompressor(): PrefixDecompressor | undefined {
  const zstd = bindZstd();
  if (zstd === undefined) return undefined;
  const { getRawPointer } = requireFfi();
  const context = zstd.ZSTD_createDCtx();
  return {
    decompress(frame, prefix, target) {
      if (isZstdError(zstd.ZSTD_DCtx_refPrefix(context, prefix.buffer.pointer, BigInt(prefix.length))))
        return undefined;
      const length = zstd.ZSTD_decompressDCtx(
        context,
        target.pointer,
        BigInt(target.size),
        getRawPointer(frame),
        BigInt(frame.length),
      );
      return isZstdError(length) ? undefined : Number(length);
    },
    free: () => void zstd.ZSTD_freeDCtx(context),
  };
}

/** By `node:zlib`, to which a prefix is a dictionary. */
export function zlibPrefixCompressor(level: number): PrefixCompressor {
  return {
    compress(prefix, source) {
      const params = {
        [constants.ZSTD_c_compressionLevel]: level,
        [constants.ZSTD_c_windowLog]: windowFor(prefix.length + source.length),
      };
      return zstdCompressSync(source.buffer.bytes.subarray(0, source.length), { params, ...dictionaryOf(prefix) });
    },
    free: () => {},
  };
}

/** By `node:zlib`. It takes a prefix that begins as a zstd dictionary does for one, and then gives other content. */
export function zlibPrefixDecompressor(): PrefixDecompressor {
  return {
    decompress(frame, prefix, target) {
      try {
        const params = { [constants.ZSTD_d_windowLogMax]: 31 };
        const content = zstdDecompressSync(frame, {
          params,
          maxOutputLength: Math.max(1, target.size),
          ...dictionaryOf(prefix),
        });
        target.bytes.set(content);
        return content.length;
      } catch {
        return undefined;
      }
    },
    free: () => {},
  };
}

function dictionaryOf({ buffer, length }: Filled): { dictionary?: Buffer } {
  return length === 0 ? {} : { dictionary: buffer.bytes.subarray(0, length) };
}

/** All of prefix and content, as a power of two. */
function windowFor(bytes: number): number {
  let log = smallestWindow;
  while (2 ** log < bytes) log += 1;
  return log;
}

function check(result: bigint): number {
  if (isZstdError(result)) throw new RangeError('zstd refuses what it was asked');
  return Number(result);
}
