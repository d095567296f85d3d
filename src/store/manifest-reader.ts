import { createHash } from 'node:crypto';
import type { Digest } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Entry } from '../image/entry.ts';
import { FormatError } from '../image/format-error.ts';
import { ManifestDecoder, ManifestSplitter } from '../image/manifest-decoder.ts';
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
  return naming(files.location, digest, async () => {
    const bytes = await files.read(manifestPath(digest), fileLimit);
    if (bytes === undefined) throw new FormatError('it is missing');
    verifyContent(parseManifestFile(bytes), digest);
    return bytes;
  });
}

/** The entries of a manifest file that is on this machine, verified as by `readManifest`. `place` is for people. */
export function entriesOfManifest(file: Buffer, digest: Digest, place: string): AsyncGenerator<Entry[]> {
  return readBy(holding(file, place), digest, new ManifestDecoder());
}

/** All content of a manifest file, joined and verified: what its digest is of. In memory that `make` gives. Throws `corrupt-manifest`. */
export async function contentOfManifest(
  file: Buffer,
  digest: Digest,
  place: string,
  make: (length: number) => Buffer = Buffer.allocUnsafeSlow,
): Promise<Buffer> {
  return naming(place, digest, async () => {
    const parsed = parseManifestFile(file);
    verifyContent(parsed, digest);
    const content = make(parsed.blocks.reduce((sum, { contentLength }) => sum + contentLength, 0));
    let at = 0;
    for (const bytes of contentOfBlocks(parsed)) at += bytes.copy(content, at);
    return content;
  });
}

function holding(file: Buffer, location: string): ManifestFiles {
  return { location, read: async () => file };
}

async function naming<Result>(store: string, digest: Digest, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new ImprintError('corrupt-manifest', { digest, store, problem: error.message }, { cause: error });
  }
}

async function* readBy<Item>(
  files: ManifestFiles,
  digest: Digest,
  decoder: { push(bytes: Buffer): Item[]; end(): void },
): AsyncGenerator<Item[]> {
  try {
    const bytes = await files.read(manifestPath(digest), fileLimit);
    if (bytes === undefined) throw new FormatError('it is missing');
    const file = parseManifestFile(bytes);
    verifyContent(file, digest);
    for (const block of file.blocks) {
      const items = decoder.push(decompress(block.compressed, block.contentLength));
      if (items.length > 0) yield items;
    }
    decoder.end();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new ImprintError(
      'corrupt-manifest',
      { digest, store: files.location, problem: error.message },
      { cause: error },
    );
  }
}

function verifyContent(file: ManifestFile, digest: Digest): void {
  if (file.digest !== digest) throw new FormatError(`it is another one, ${file.digest}`);
  const content = createHash('sha256');
  for (const bytes of contentOfBlocks(file)) content.update(bytes);
  if (`sha256:${content.digest('hex')}` !== digest) throw new FormatError('its content does not match its digest');
}

/** Block by block, each valid until the next. */
function* contentOfBlocks({ blocks }: ManifestFile): Generator<Buffer> {
  const decompressor = createDecompressor();
  const buffer = new NativeBuffer(manifestBlockLimit);
  try {
    for (const { compressed, contentLength } of blocks) {
      if (decompressor.decompress(compressed, buffer, 0) !== contentLength)
        throw new FormatError('it cannot be decompressed');
      yield buffer.bytes.subarray(0, contentLength);
    }
  } finally {
    decompressor.free();
  }
}
