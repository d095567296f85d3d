import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Digest } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Entry, WantedEntries } from '../image/entry.ts';
import { FormatError } from '../image/format-error.ts';
import { ManifestDecoder, ManifestPicker, ManifestSplitter } from '../image/manifest-decoder.ts';
import { type ManifestFile, manifestBlockLimit, parseManifestFile } from '../image/manifest-file.ts';
import { NativeBuffer } from '../native/native-buffer.ts';
import { createDecompressor } from '../native/zstd.ts';
import { manifestPath } from './layout.ts';
import type { StoreFiles } from './store-files.ts';
import { decompress } from './zstd.ts';

const fileLimit = 2 ** 30;

/** Where manifest files are, by their paths in a store. */
type ManifestFiles = Pick<StoreFiles, 'location' | 'read'>;

/**
 * The entries of a manifest, in batches of one block. The whole file is held in memory (compressed) and verified, stored
 * bytes and content, before the first entry comes. Throws `corrupt-manifest`.
 */
export function readManifest(files: ManifestFiles, digest: Digest): AsyncGenerator<Entry[]> {
  return readBy(files, digest, new ManifestDecoder());
}

/** The same, each entry as its bytes (`ManifestSplitter`). */
export function readManifestMessages(files: ManifestFiles, digest: Digest): AsyncGenerator<Buffer[]> {
  return readBy(files, digest, new ManifestSplitter());
}

/** A manifest's file as it is stored, every byte of it and its content verified. Throws `corrupt-manifest`. */
export async function readManifestFile(files: ManifestFiles, digest: Digest): Promise<Buffer> {
  try {
    const bytes = await readWhole(files, digest);
    verifyContent(parseManifestFile(bytes), digest);
    return bytes;
  } catch (error) {
    throw corrupt(error, files.location, digest);
  }
}

/** The entries of a manifest file that is on this machine, verified as by `readManifest`. `place` is for people. */
export async function* entriesOfManifest(file: Buffer, digest: Digest, place: string): AsyncGenerator<Entry[]> {
  yield* new VerifiedManifest(file, digest, place).entries();
}

/** A manifest's file in memory, every byte of it and its content verified: it is read as often as it is needed without being verified anew. */
export class VerifiedManifest {
  readonly digest: Digest;
  readonly #file: ManifestFile;
  readonly #place: string;

  /** Verifies a file. `place` is for people. Throws `corrupt-manifest`. */
  constructor(file: Buffer, digest: Digest, place: string) {
    this.digest = digest;
    this.#place = place;
    this.#file = naming(place, digest, () => {
      const parsed = parseManifestFile(file);
      verifyContent(parsed, digest);
      return parsed;
    });
  }

  /** Length of its content. */
  get length(): number {
    return this.#file.contentLength;
  }

  /**
   * The entries in order. With `wanted` those that it names by their numbers, and undefined in place of each other one: to be asked by who has read all of
   * them before, for only then the rules of a manifest were checked. Throws `corrupt-manifest`.
   */
  entries(): AsyncGenerator<Entry[]>;
  entries(wanted: WantedEntries): AsyncGenerator<(Entry | undefined)[]>;
  async *entries(wanted?: WantedEntries): AsyncGenerator<(Entry | undefined)[]> {
    const reader = wanted === undefined ? new ManifestDecoder() : new ManifestPicker(wanted);
    try {
      // Entries hold views into a block: each has memory of its own.
      for (const bytes of contentOfBlocks(this.#file, (length) => new NativeBuffer(length))) {
        yield* reader.batches(bytes);
        // Who reads millions of entries can be interrupted.
        await setImmediate();
      }
      reader.end();
    } catch (error) {
      throw corrupt(error, this.#place, this.digest);
    }
  }

  /** All content, joined: what the digest is of. In memory that `make` gives. */
  content(make: (length: number) => Buffer = Buffer.allocUnsafeSlow): Buffer {
    const content = make(this.length);
    let at = 0;
    for (const bytes of contentOfBlocks(this.#file)) at += bytes.copy(content, at);
    return content;
  }
}

function naming<Result>(place: string, digest: Digest, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw corrupt(error, place, digest);
  }
}

function corrupt(error: unknown, store: string, digest: Digest): unknown {
  if (!(error instanceof FormatError)) return error;
  return new ImprintError('corrupt-manifest', { digest, store, problem: error.message }, { cause: error });
}

async function* readBy<Item>(
  files: ManifestFiles,
  digest: Digest,
  decoder: { push(bytes: Buffer): Item[]; end(): void },
): AsyncGenerator<Item[]> {
  try {
    const file = parseManifestFile(await readWhole(files, digest));
    verifyContent(file, digest);
    for (const block of file.blocks) {
      const items = decoder.push(decompress(block.compressed, block.contentLength));
      if (items.length > 0) yield items;
    }
    decoder.end();
  } catch (error) {
    throw corrupt(error, files.location, digest);
  }
}

async function readWhole(files: ManifestFiles, digest: Digest): Promise<Buffer> {
  const bytes = await files.read(manifestPath(digest), fileLimit);
  if (bytes === undefined) throw new FormatError('it is missing');
  return bytes;
}

function verifyContent(file: ManifestFile, digest: Digest): void {
  if (file.digest !== digest) throw new FormatError(`it is another one, ${file.digest}`);
  const content = createHash('sha256');
  for (const bytes of contentOfBlocks(file)) content.update(bytes);
  if (`sha256:${content.digest('hex')}` !== digest) throw new FormatError('its content does not match its digest');
}

/** Block by block, in memory that `make` gives; by default each is valid until the next. */
function* contentOfBlocks({ blocks }: ManifestFile, make = sameMemory()): Generator<Buffer> {
  const decompressor = createDecompressor();
  try {
    for (const { compressed, contentLength } of blocks) {
      const buffer = make(contentLength);
      if (decompressor.decompress(compressed, buffer, 0) !== contentLength)
        throw new FormatError('it cannot be decompressed');
      yield buffer.bytes.subarray(0, contentLength);
    }
  } finally {
    decompressor.free();
  }
}

function sameMemory(): (length: number) => NativeBuffer {
  const buffer = new NativeBuffer(manifestBlockLimit);
  return () => buffer;
}
