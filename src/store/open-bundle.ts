import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Digest } from '../foundation/brand.ts';
import {
  type BundleTable,
  bundleFooterLength,
  bundleHead,
  checkBundleFrames,
  decodeBundleFooter,
  decodeBundleTable,
  hashedPartOfFooter,
} from '../image/bundle.ts';
import { FormatError } from '../image/format-error.ts';
import { decompress } from './zstd.ts';

/** A bundle all of whose bytes match its own checksum. Who opened it closes the file. */
export interface OpenBundle {
  file: FileHandle;
  table: BundleTable;
}

/** Opens the file of a bundle and reads all of it. Throws a `FormatError` where it is not whole, or another one; else system errors. */
export async function openBundle(path: string, from: Digest, to: Digest): Promise<OpenBundle> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const footerBytes = await readWholly(file, Math.max(0, size - bundleFooterLength), bundleFooterLength);
    const footer = decodeBundleFooter(footerBytes, size);
    if (footer.from !== from || footer.to !== to) throw new FormatError('it leads from or to another version');
    const sum = createHash('sha256');
    const end = size - bundleFooterLength;
    if (!(await readWholly(file, 0, bundleHead.length)).equals(bundleHead))
      throw new FormatError('its beginning is not that of a bundle');
    for await (const part of createReadStream(path, { end: end - 1, highWaterMark: 1 << 20 })) sum.update(part);
    if (!sum.update(hashedPartOfFooter(footerBytes)).digest().equals(footer.hash))
      throw new FormatError('it does not match its checksum');
    const stored = await readWholly(file, footer.tableOffset, footer.tableLength);
    const table = decodeBundleTable(decompress(stored, footer.contentLength));
    checkBundleFrames(table, footer);
    return { file, table };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** `length` bytes from `offset`. Throws a `FormatError` where the file ends before. */
export async function readWholly(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) throw new FormatError('it is cut short');
    done += bytesRead;
  }
  return bytes;
}
