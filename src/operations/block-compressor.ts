import { promisify } from 'node:util';
import { constants, gzip, zstdCompress } from 'node:zlib';
import type { ExportCompression } from '../contract/operations/exports.ts';
import type { WriteBytes } from './export-formats.ts';

/** Takes bytes, and when all have come, `finish`. */
export interface BytesThrough {
  write: WriteBytes;
  finish(): Promise<void>;
}

const compressors = {
  gzip: { block: 1 << 20, compress: (bytes: Uint8Array) => promisify(gzip)(bytes, { level: 6 }) },
  zstd: {
    block: 8 << 20,
    compress: (bytes: Uint8Array) =>
      promisify(zstdCompress)(bytes, {
        params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_checksumFlag]: 1 },
      }),
  },
};
/** As many as libuv has threads. */
const blocksAtOnce = 4;

/**
 * Compresses what comes and gives it to `write`: blocks of one length, each a gzip member or zstd frame of its own, side by side on all
 * cores. Every program that knows the format reads them as one. The same bytes give the same blocks, whatever pieces they come in.
 */
export function compressBlocks(compression: ExportCompression, write: WriteBytes): BytesThrough {
  if (compression === 'none') return { write, finish: async () => {} };
  const { block, compress } = compressors[compression];
  const waiting: Promise<Buffer>[] = [];
  let open = Buffer.alloc(block);
  let used = 0;
  let any = false;
  const next = async () => {
    const done = await waiting.shift();
    if (done !== undefined) await write(done);
  };
  const send = async () => {
    const compressed = compress(open.subarray(0, used));
    // Whoever awaits it in turn hears of a failure.
    compressed.catch(() => {});
    waiting.push(compressed);
    any = true;
    open = Buffer.alloc(block);
    used = 0;
    if (waiting.length >= blocksAtOnce) await next();
  };
  return {
    write: async (bytes) => {
      for (let at = 0; at < bytes.length; ) {
        const part = bytes.subarray(at, at + block - used);
        open.set(part, used);
        used += part.length;
        at += part.length;
        if (used === block) await send();
      }
    },
    finish: async () => {
      if (used > 0 || !any) await send();
      while (waiting.length > 0) await next();
    },
  };
}
