import { requireFfi } from './library.ts';

/** Of zstd.h: ZSTD_c_compressionLevel, ZSTD_c_windowLog, ZSTD_c_hashLog, ZSTD_c_enableLongDistanceMatching. */
export const zstdParameters = { level: 100, windowLog: 101, hashLog: 102, longDistance: 160 } as const;

/** Calls of the zstd that Node carries; undefined where this Node does not show them. */
export function bindZstd() {
  try {
    return requireFfi().dlopen(null, {
      ZSTD_createCCtx: { arguments: [], return: 'pointer' },
      ZSTD_freeCCtx: { arguments: ['pointer'], return: 'u64' },
      ZSTD_CCtx_setParameter: { arguments: ['pointer', 'i32', 'i32'], return: 'u64' },
      ZSTD_CCtx_refPrefix: { arguments: ['pointer', 'pointer', 'u64'], return: 'u64' },
      ZSTD_compress2: { arguments: ['pointer', 'pointer', 'u64', 'pointer', 'u64'], return: 'u64' },
      ZSTD_createDCtx: { arguments: [], return: 'pointer' },
      ZSTD_freeDCtx: { arguments: ['pointer'], return: 'u64' },
      ZSTD_DCtx_refPrefix: { arguments: ['pointer', 'pointer', 'u64'], return: 'u64' },
      ZSTD_decompressDCtx: { arguments: ['pointer', 'pointer', 'u64', 'pointer', 'u64'], return: 'u64' },
    }).functions;
  } catch {
    return undefined;
  }
}

/** Whether a result is one of the library's error codes (ZSTD_isError). */
export function isZstdError(result: bigint): boolean {
  return result > 0xffff_ffff_ffff_0000n;
}
