import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { FormatError } from '../image/format-error.ts';

/** One zstd frame at the level that images are kept at. For manifests; packs are compressed by `tree/`, faster. */
export function compress(content: Uint8Array): Buffer {
  return zstdCompressSync(content, { params: { [constants.ZSTD_c_compressionLevel]: 3 } });
}

/** The content of one zstd frame, which must be `length` bytes. Never takes more memory than that; throws a `FormatError`. */
export function decompress(frame: Uint8Array, length: number): Buffer {
  let content: Buffer;
  try {
    content = zstdDecompressSync(frame, { maxOutputLength: Math.max(length, 1) });
  } catch (cause) {
    throw new FormatError('it cannot be decompressed', { cause });
  }
  if (content.length !== length) throw new FormatError('it decompresses to another length');
  return content;
}
