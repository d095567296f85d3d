import { hash } from 'node:crypto';
import type { Digest } from '../foundation/brand.ts';
import { FormatError } from '../image/format-error.ts';
import { hintsPath } from './layout.ts';
import type { StoreFiles } from './store-files.ts';

const limit = 2 ** 30;

/** Hints as their file: 32 bytes of SHA-256, then what the capture wrote. */
export function formatHints(content: Uint8Array): Buffer {
  return Buffer.concat([hash('sha256', content, 'buffer'), content]);
}

/** What `formatHints` was given. Throws a `FormatError`. */
export function parseHints(bytes: Buffer): Buffer {
  const content = bytes.subarray(32);
  if (bytes.length < 32 || !hash('sha256', content, 'buffer').equals(bytes.subarray(0, 32)))
    throw new FormatError('it does not match its checksum');
  return content;
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
