import { createHash, hash } from 'node:crypto';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { Digest } from '../foundation/brand.ts';
import { FormatError } from '../image/format-error.ts';
import { hintsPath } from './layout.ts';
import type { StoreFiles } from './store-files.ts';

const limit = 2 ** 30;
/** Step in which its buffer grows. */
const chunkSize = 1 << 20;
/** Fast, and a third of the size: they are many small numbers that hardly differ from row to row. */
const params = { [constants.ZSTD_c_compressionLevel]: 1 };

/**
 * Hints as their file: 32 bytes of SHA-256 of the rest, which is what the capture wrote as zstd frames, one for each part. For a million
 * entries they are some fifty megabytes, which are never joined here.
 */
export function formatHints(parts: readonly Uint8Array[]): Buffer {
  const frames = parts.map((part) => zstdCompressSync(part, { params, chunkSize }));
  const sum = createHash('sha256');
  for (const frame of frames) sum.update(frame);
  return Buffer.concat([sum.digest(), ...frames]);
}

/** What `formatHints` was given. Throws a `FormatError`. */
export function parseHints(bytes: Buffer): Buffer {
  if (bytes.length < 32) throw new FormatError('it is cut short');
  const frame = bytes.subarray(32);
  if (!hash('sha256', frame, 'buffer').equals(bytes.subarray(0, 32)))
    throw new FormatError('it does not match its checksum');
  return decompress(frame);
}

function decompress(frame: Buffer): Buffer {
  try {
    return zstdDecompressSync(frame, { maxOutputLength: limit, chunkSize });
  } catch (cause) {
    throw new FormatError('it cannot be decompressed', { cause });
  }
}

/** The hints of a version; undefined where there are none or they are damaged, for they only save time. */
export async function readHintsFile(files: StoreFiles, digest: Digest): Promise<Buffer | undefined> {
  try {
    const bytes = await files.read(hintsPath(digest), limit);
    return bytes === undefined ? undefined : parseHints(bytes);
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}
