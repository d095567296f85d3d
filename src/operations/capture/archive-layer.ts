import { createHash } from 'node:crypto';
import { ImprintError } from '../../foundation/errors.ts';
import { compressionOf } from '../../image/content-kind.ts';
import { readTar, type TarMember } from '../../image/tar.ts';
import { decompress } from '../../system/decompress.ts';
import type { Processes } from '../../system/run.ts';

/** One archive of a source: a tar, compressed or not. It is read more than once. */
export interface ArchiveLayer {
  /** For people, in errors. */
  readonly name: string;
  /** `sha256:…` of the tar once it is decompressed, where somebody said so. */
  readonly diffId?: string;
  /** Its bytes from the first, as they lie. */
  open(): AsyncIterable<Uint8Array>;
}

export interface LayerReading {
  processes: Processes;
  signal: AbortSignal;
}

/** What reading a layer to its end showed. */
export interface LayerEnd {
  /** SHA-256 of the tar, once decompressed; 64 hexadecimal digits. */
  hash: string;
}

/**
 * The members of a layer, decompressed by what its first bytes say. It is always read to its end, past the end of the archive in it, so that
 * damage anywhere is found; `ended` is told then. Errors: `tar-invalid`, `archive-damaged`, `blob-corrupt`, `tool-missing`.
 */
export async function* readLayer(
  layer: ArchiveLayer,
  reading: LayerReading,
  ended: (end: LayerEnd) => void = () => {},
): AsyncGenerator<TarMember, void, void> {
  const sums = { sha256: createHash('sha256'), sha512: createHash('sha512') };
  const algorithm = layer.diffId?.startsWith('sha512:') ? 'sha512' : 'sha256';
  const bytes = hashed(plainBytes(layer, reading), (piece) => {
    sums.sha256.update(piece);
    if (algorithm === 'sha512') sums.sha512.update(piece);
  });
  try {
    // The reader must not close what is still to be read after it.
    yield* readTar({ [Symbol.asyncIterator]: () => ({ next: () => bytes.next() }) }, layer.name);
    for (let rest = await bytes.next(); rest.done !== true; rest = await bytes.next()) reading.signal.throwIfAborted();
  } finally {
    await bytes.return();
  }
  const hash = sums.sha256.digest('hex');
  const found = algorithm === 'sha256' ? `sha256:${hash}` : `sha512:${sums.sha512.digest('hex')}`;
  if (layer.diffId !== undefined && found !== layer.diffId) {
    throw new ImprintError('blob-corrupt', {
      source: layer.name,
      blob: 'the layer',
      problem: `decompressed it is ${found}, not ${layer.diffId}`,
    });
  }
  ended({ hash });
}

/** The bytes of a layer, decompressed where they are compressed. */
export async function* plainBytes(
  layer: Pick<ArchiveLayer, 'name' | 'open'>,
  { processes, signal }: LayerReading,
): AsyncGenerator<Uint8Array, void, void> {
  const source = layer.open()[Symbol.asyncIterator]();
  const held: Uint8Array[] = [];
  let head: Buffer = Buffer.alloc(0);
  try {
    while (head.length < 6) {
      const piece = await source.next();
      if (piece.done === true) break;
      held.push(piece.value);
      head = Buffer.concat([head, piece.value.subarray(0, 6)]);
    }
    const rest = async function* () {
      yield* held;
      for (let piece = await source.next(); piece.done !== true; piece = await source.next()) yield piece.value;
    };
    const compression = compressionOf(head);
    if (compression === undefined) yield* rest();
    else yield* decompress(rest(), { compression, name: layer.name, processes, signal });
  } finally {
    await source.return?.();
  }
}

async function* hashed(
  bytes: AsyncIterable<Uint8Array>,
  each: (piece: Uint8Array) => void,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const piece of bytes) {
    each(piece);
    yield piece;
  }
}
