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

const fileLimit = 2 ** 30;

/** Where manifest files are, by their paths in a store. */
type ManifestFiles = Pick<StoreFiles, 'location' | 'read'>;

/**
 * The entries of a manifest, in batches. The whole file is held in memory (compressed) and verified, stored bytes and content, before the first entry
 * comes. Throws `corrupt-manifest`.
 */
export async function* readManifest(files: ManifestFiles, digest: Digest): AsyncGenerator<Entry[]> {
  yield* (await verifiedManifest(files, digest)).entries();
}

/** The same, each entry as its bytes (`ManifestSplitter`). */
export async function* readManifestMessages(files: ManifestFiles, digest: Digest): AsyncGenerator<Buffer[]> {
  yield* (await verifiedManifest(files, digest)).messages();
}

/** A manifest's file as it is stored, every byte of it and its content verified. Throws `corrupt-manifest`. */
export async function readManifestFile(files: ManifestFiles, digest: Digest): Promise<Buffer> {
  const bytes = await readWhole(files, digest);
  new VerifiedManifest(bytes, digest, files.location);
  return bytes;
}

async function verifiedManifest(files: ManifestFiles, digest: Digest): Promise<VerifiedManifest> {
  return new VerifiedManifest(await readWhole(files, digest), digest, files.location);
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
  entries(wanted?: WantedEntries): AsyncGenerator<(Entry | undefined)[]> {
    return this.#read(wanted === undefined ? new ManifestDecoder() : new ManifestPicker(wanted));
  }

  /** The entries in order, each as its bytes (`ManifestSplitter`). Throws `corrupt-manifest`. */
  messages(): AsyncGenerator<Buffer[]> {
    return this.#read(new ManifestSplitter());
  }

  async *#read<Item>(reader: { batches(bytes: Buffer): Iterable<Item[]>; end(): void }): AsyncGenerator<Item[]> {
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

async function readWhole(files: ManifestFiles, digest: Digest): Promise<Buffer> {
  const bytes = await files.read(manifestPath(digest), fileLimit);
  if (bytes === undefined) throw corrupt(new FormatError('it is missing'), files.location, digest);
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
