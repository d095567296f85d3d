import { hash } from 'node:crypto';
import { FormatError } from '../image/format-error.ts';
import type { PackTable } from '../image/pack.ts';
import { packPath } from './layout.ts';
import type { StoreFiles } from './store-files.ts';
import { decompress } from './zstd.ts';

/** A chunk as it was read: verified, or undefined where it is damaged. */
export interface ReadChunk {
  chunk: number;
  content: Buffer | undefined;
}

/**
 * Reads those chunks of a pack that are wanted, in order, each frame once, each chunk checked against its hash. A frame that
 * cannot be read or decompressed gives damaged chunks, no error; a store that does not answer is thrown.
 */
export async function* readChunks(
  files: StoreFiles,
  pack: string,
  table: PackTable,
  wanted: (chunk: number) => boolean,
): AsyncGenerator<ReadChunk> {
  for (let frame = 0; frame < table.frames; frame += 1) {
    const chunks = chunksOf(table, frame).filter(wanted);
    if (chunks.length === 0) continue;
    const content = await readFrame(files, pack, table, frame);
    for (const chunk of chunks) yield { chunk, content: content && sound(content, table, chunk) };
  }
}

/** The numbers of a frame's chunks. */
export function chunksOf(table: PackTable, frame: number): number[] {
  const first = table.frameFirstChunk[frame] as number;
  const end = frame + 1 < table.frames ? (table.frameFirstChunk[frame + 1] as number) : table.chunks;
  return Array.from({ length: end - first }, (_, index) => first + index);
}

/** The hash of a chunk, 32 bytes. */
export function chunkHash(table: PackTable, chunk: number): Uint8Array {
  return table.hashes.subarray(chunk * 32, chunk * 32 + 32);
}

/** A chunk's share of its compressed frame, in bytes. */
export function storedLength(table: PackTable, chunk: number): number {
  const frame = table.chunkFrame[chunk] as number;
  const share = (table.chunkLength[chunk] as number) / (table.frameContentLength[frame] as number);
  return Math.round((table.frameLength[frame] as number) * share);
}

async function readFrame(
  files: StoreFiles,
  pack: string,
  table: PackTable,
  frame: number,
): Promise<Buffer | undefined> {
  const [offset, length] = [table.frameOffset[frame] as number, table.frameLength[frame] as number];
  try {
    const bytes = await files.readRange(packPath(pack), offset, length);
    if (bytes?.length !== length) return undefined;
    return decompress(bytes, table.frameContentLength[frame] as number);
  } catch (error) {
    if (error instanceof FormatError || (error as NodeJS.ErrnoException).code === 'EIO') return undefined;
    throw error;
  }
}

function sound(content: Buffer, table: PackTable, chunk: number): Buffer | undefined {
  const at = table.chunkOffset[chunk] as number;
  const bytes = content.subarray(at, at + (table.chunkLength[chunk] as number));
  return hash('sha256', bytes, 'buffer').equals(chunkHash(table, chunk)) ? bytes : undefined;
}
