import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { requireFfi } from './library.ts';
import { NativeBuffer } from './native-buffer.ts';
import { bindZstd, isZstdError, zstdParameters } from './zstd-library.ts';

/** Compresses frames one after another with one set of tables. Not for use by two threads. */
export interface Compressor {
  /** Compresses `source` as one frame. The frame is valid until the next call: its memory is used again. */
  compress(source: Uint8Array): Uint8Array;
  free(): void;
}

/** Decompresses frames one after another with one set of tables. Not for use by two threads. */
export interface Decompressor {
  /**
   * Decompresses the one frame that `source` holds to `target` from `offset`; its content's length, or undefined where it
   * is damaged or does not fit.
   */
  decompress(source: Uint8Array, target: NativeBuffer, offset: number): number | undefined;
  free(): void;
}

/** Room that a frame of `length` bytes of content may need at worst (ZSTD_COMPRESSBOUND of zstd.h). */
function compressBound(length: number): number {
  return length + (length >> 8) + (length < 131_072 ? (131_072 - length) >> 11 : 0) + 64;
}

/**
 * zstd by direct calls and a kept context; by `node:zlib` where this Node does not show them. `windowLog`: how far back it
 * looks for what repeats; `hashLog`: how many places it remembers; both as powers of two; default: what zstd thinks fit for the level.
 */
export function createCompressor(level: number, windowLog = 0, hashLog = 0): Compressor {
  return nativeCompressor(level, windowLog, hashLog) ?? zlibCompressor(level, windowLog, hashLog);
}

/** See `createCompressor`. */
export function createDecompressor(): Decompressor {
  return nativeDecompressor() ?? zlibDecompressor();
}

/** By direct calls; undefined where they are not to be had. */
export function nativeCompressor(level: number, windowLog = 0, hashLog = 0): Compressor | undefined {
  const functions = bindZstd();
  if (functions === undefined) return undefined;
  const { getRawPointer } = requireFfi();
  const context = functions.ZSTD_createCCtx();
  functions.ZSTD_CCtx_setParameter(context, zstdParameters.level, level);
  if (windowLog > 0) functions.ZSTD_CCtx_setParameter(context, zstdParameters.windowLog, windowLog);
  if (hashLog > 0) functions.ZSTD_CCtx_setParameter(context, zstdParameters.hashLog, hashLog);
  let target = new NativeBuffer(compressBound(1 << 20));
  return {
    compress(source) {
      const room = compressBound(source.length);
      if (target.size < room) target = new NativeBuffer(room);
      const result = functions.ZSTD_compress2(
        context,
        target.pointer,
        BigInt(target.size),
        getRawPointer(source),
        BigInt(source.length),
      );
      if (isZstdError(result)) throw new RangeError(`zstd cannot compress ${source.length} bytes`);
      return target.bytes.subarray(0, Number(result));
    },
    free: () => void functions.ZSTD_freeCCtx(context),
  };
}

/** By direct calls; undefined where they are not to be had. */
export function nativeDecompressor(): Decompressor | undefined {
  const functions = bindZstd();
  if (functions === undefined) return undefined;
  const { getRawPointer } = requireFfi();
  const context = functions.ZSTD_createDCtx();
  return {
    decompress(source, target, offset) {
      const result = functions.ZSTD_decompressDCtx(
        context,
        target.at(offset),
        BigInt(target.size - offset),
        getRawPointer(source),
        BigInt(source.length),
      );
      return isZstdError(result) ? undefined : Number(result);
    },
    free: () => void functions.ZSTD_freeDCtx(context),
  };
}

/** By `node:zlib`: the same frames at about twice the cost. */
export function zlibCompressor(level: number, windowLog = 0, hashLog = 0): Compressor {
  const { ZSTD_c_compressionLevel, ZSTD_c_windowLog, ZSTD_c_hashLog } = constants;
  const params = {
    [ZSTD_c_compressionLevel]: level,
    ...(windowLog > 0 ? { [ZSTD_c_windowLog]: windowLog } : {}),
    ...(hashLog > 0 ? { [ZSTD_c_hashLog]: hashLog } : {}),
  };
  return {
    compress: (source) => zstdCompressSync(source, { params }),
    free: () => {},
  };
}

/** By `node:zlib`. */
export function zlibDecompressor(): Decompressor {
  return {
    decompress(source, target, offset) {
      try {
        const content = zstdDecompressSync(source, { maxOutputLength: Math.max(1, target.size - offset) });
        target.bytes.set(content, offset);
        return content.length;
      } catch {
        return undefined;
      }
    },
    free: () => {},
  };
}
