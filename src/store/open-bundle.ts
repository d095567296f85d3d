import { createHash } from 'node:crypto';
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

/** What is read of it at once. */
const pieceLength = 1 << 20;

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
    const piece = Buffer.allocUnsafeSlow(pieceLength);
    for (let at = 0; at < end; at += pieceLength) {
      const part = piece.subarray(0, Math.min(pieceLength, end - at));
      await readTo(part, file, at);
      sum.update(part);
    }
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

async function readWholly(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  await readTo(bytes, file, offset);
  return bytes;
}

/** Fills `bytes` from `offset` of the file on. Throws a `FormatError` where it ends before. */
async function readTo(bytes: Buffer, file: FileHandle, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, done, bytes.length - done, offset + done);
    if (bytesRead === 0) throw new FormatError('it is cut short');
    done += bytesRead;
  }
}
