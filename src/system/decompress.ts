import { once } from 'node:events';
import { Readable } from 'node:stream';
import { constants, createGunzip, createZstdDecompress } from 'node:zlib';
import { ImprintError } from '../foundation/errors.ts';
import type { Compression } from '../image/content-kind.ts';
import type { Processes, RunningProcess } from './run.ts';

export interface DecompressOptions {
  compression: Compression;
  /** For people, in errors. */
  name: string;
  processes: Processes;
  signal: AbortSignal;
}

/** gzip and zstd are in Node; all else is done by the program that knows it. */
const programs: { readonly [Name in Exclude<Compression, 'gzip' | 'zstd'>]: readonly [string, ...string[]] } = {
  bzip2: ['bzip2', '-dc'],
  xz: ['xz', '-dc'],
  lz4: ['lz4', '-dc'],
  lzip: ['lzip', '-dc'],
};

/**
 * What `source` holds, decompressed, as it comes. Several streams one after another are read as one. A stream that stops early or is damaged
 * ends with an error, never silently. Errors: `archive-damaged`, `tool-missing`, `interrupted`, and those of `source`.
 */
export function decompress(source: AsyncIterable<Uint8Array>, options: DecompressOptions): AsyncIterable<Uint8Array> {
  const { compression } = options;
  if (compression === 'gzip' || compression === 'zstd') return byNode(source, compression, options);
  return byProgram(source, programs[compression], options);
}

async function* byNode(
  source: AsyncIterable<Uint8Array>,
  compression: 'gzip' | 'zstd',
  { name }: DecompressOptions,
): AsyncGenerator<Uint8Array, void, void> {
  const chunkSize = 1 << 18;
  const stream =
    compression === 'gzip'
      ? createGunzip({ chunkSize })
      : createZstdDecompress({ chunkSize, params: { [constants.ZSTD_d_windowLogMax]: 31 } });
  const input = Readable.from(source);
  // A failure of the source is told as it is; one of the stream itself is the archive's.
  let failure: Error | undefined;
  input.on('error', (error) => {
    failure = error;
    stream.destroy(error);
  });
  input.pipe(stream);
  try {
    for await (const piece of stream) yield piece as Uint8Array;
  } catch (error) {
    throw failure ?? damaged(name, compression, (error as Error).message, error);
  } finally {
    input.destroy();
    stream.destroy();
  }
}

async function* byProgram(
  source: AsyncIterable<Uint8Array>,
  [tool, ...args]: readonly [string, ...string[]],
  { compression, name, processes, signal }: DecompressOptions,
): AsyncGenerator<Uint8Array, void, void> {
  const program = processes.start(tool, args, { signal });
  const fed = feed(source, program);
  fed.catch(() => {});
  let whole = false;
  try {
    for await (const piece of program.stdout) yield piece as Uint8Array;
    whole = true;
    await fed;
    await program.ended.catch((error: unknown) => {
      const failed = error instanceof ImprintError && error.code === 'process-failed';
      throw failed ? damaged(name, compression, String(error.details.stderr), error) : error;
    });
  } finally {
    if (!whole) await program.stop();
  }
}

/** Gives a program its input. One that ends early has its own reason, which its end tells. */
async function feed(source: AsyncIterable<Uint8Array>, program: RunningProcess): Promise<void> {
  const { stdin } = program;
  let gone = false;
  stdin.on('close', () => {
    gone = true;
  });
  try {
    for await (const piece of source) {
      if (gone) return;
      if (!stdin.write(piece))
        await Promise.race([once(stdin, 'drain').catch(() => {}), program.ended.catch(() => {})]);
    }
    stdin.end();
  } catch (error) {
    await program.stop();
    throw error;
  }
}

function damaged(name: string, compression: string, problem: string, cause: unknown): ImprintError {
  return new ImprintError('archive-damaged', { source: name, compression, problem }, { cause });
}
