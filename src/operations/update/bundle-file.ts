import { hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { Digest } from '../../foundation/brand.ts';
import { type BundleTable, bundleHead, type ChunkFrame } from '../../image/bundle.ts';
import { FormatError } from '../../image/format-error.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';
import { createPrefixDecompressor } from '../../native/zstd-prefix.ts';
import { openBundle, readWholly } from '../../store/open-bundle.ts';
import type { LocalChunks } from './local-chunks.ts';

/** Frames whose content is kept: chunks are asked for in the order of the manifest, mostly. */
const keptFrames = 3;

/** A missing chunk: its hash as 64 hexadecimal digits, and its length. */
export interface WantedChunk {
  name: string;
  length: number;
}

/** Where a chunk lies in the content of a frame. */
interface Place {
  frame: number;
  offset: number;
  length: number;
}

/**
 * A bundle that lies on this machine. Nothing in it is believed: what comes out of it is checked by its hash, the manifest by its digest.
 */
export class BundleFile implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #table: BundleTable;
  readonly #offsets: number[] = [];
  readonly #decompressor = createPrefixDecompressor();
  readonly #places = new Map<string, Place>();
  /** Also those that are still being made: many chunks of one may be asked for at once. */
  readonly #contents = new Map<number, Promise<Buffer | undefined>>();
  #prefix = { key: '', buffer: new NativeBuffer(1 << 20), length: 0 };

  private constructor(file: FileHandle, table: BundleTable) {
    this.#file = file;
    this.#table = table;
    let at = bundleHead.length;
    for (const { stored } of [...table.manifest, ...table.frames]) {
      this.#offsets.push(at);
      at += stored;
    }
  }

  /** Opens a bundle and checks all of its bytes against its own checksum. Throws a `FormatError` where it is not whole, or another one. */
  static async open(path: string, from: Digest, to: Digest): Promise<BundleFile> {
    const { file, table } = await openBundle(path, from, to);
    return new BundleFile(file, table);
  }

  /** The new manifest of `length` bytes, uncompressed, from the old one's; unverified. Throws a `FormatError`. */
  async manifest(before: Buffer, length: number): Promise<Buffer> {
    if (this.#table.manifest.reduce((sum, { content }) => sum + content, 0) !== length)
      throw new FormatError('its manifest has another length');
    const parts: Buffer[] = [];
    for (const [index, { stored, content, prefix }] of this.#table.manifest.entries()) {
      if (prefix.offset + prefix.length > before.length) throw new FormatError('a prefix reaches past the end');
      const buffer = new NativeBuffer(prefix.length);
      buffer.bytes.set(before.subarray(prefix.offset, prefix.offset + prefix.length));
      const target = new NativeBuffer(content);
      const frame = await this.#stored(index, stored);
      if (this.#decompressor.decompress(frame, { buffer, length: prefix.length }, target) !== content)
        throw new FormatError('the manifest cannot be decompressed');
      parts.push(target.bytes);
    }
    return Buffer.concat(parts);
  }

  /** Says which chunks it brings: those that the old version has not, in the order of the new manifest. Throws a `FormatError`. */
  expect(chunks: readonly WantedChunk[]): void {
    let next = 0;
    for (const [frame, { chunks: count, content }] of this.#table.frames.entries()) {
      let offset = 0;
      for (const end = next + count; next < end; next += 1) {
        const chunk = chunks[next];
        if (chunk === undefined) throw new FormatError('it has more chunks than are missing');
        this.#places.set(chunk.name, { frame, offset, length: chunk.length });
        offset += chunk.length;
      }
      if (offset !== content) throw new FormatError('the chunks of a frame do not fill it');
    }
    if (next !== chunks.length) throw new FormatError('it has fewer chunks than are missing');
  }

  has(name: string): boolean {
    return this.#places.has(name);
  }

  /** A chunk, checked against its hash; undefined where it is not in it, or does not come out right. */
  async read(name: string, local: LocalChunks): Promise<Buffer | undefined> {
    const place = this.#places.get(name);
    if (place === undefined) return undefined;
    const content = await this.#frame(place.frame, local);
    const bytes = content?.subarray(place.offset, place.offset + place.length);
    return bytes !== undefined && hash('sha256', bytes, 'hex') === name ? bytes : undefined;
  }

  /** Chunks of frames that look at files which are not as they were, and so may not come out right. */
  doubtful(local: LocalChunks): string[] {
    const doubted = new Set<number>();
    for (const [index, { prefix }] of this.#table.frames.entries())
      if (prefix.some(({ entry }) => !local.isEntryIntact(entry))) doubted.add(index);
    return doubted.size === 0 ? [] : [...this.#places].flatMap(([name, { frame }]) => (doubted.has(frame) ? name : []));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#decompressor.free();
    this.#contents.clear();
    await this.#file.close();
  }

  #frame(index: number, local: LocalChunks): Promise<Buffer | undefined> {
    const content = this.#contents.get(index) ?? this.#decompressed(index, local);
    this.#contents.delete(index);
    this.#contents.set(index, content);
    for (const oldest of this.#contents.keys()) {
      if (this.#contents.size <= keptFrames) break;
      this.#contents.delete(oldest);
    }
    return content;
  }

  async #decompressed(index: number, local: LocalChunks): Promise<Buffer | undefined> {
    const frame = this.#table.frames[index];
    if (frame === undefined) return undefined;
    const stored = await this.#stored(this.#table.manifest.length + index, frame.stored);
    // Without waiting from here on: the prefix is everybody's.
    this.#gather(frame, local);
    // Of its own: parts of it are held by whoever writes them.
    const content = new NativeBuffer(frame.content);
    return this.#decompressor.decompress(stored, this.#prefix, content) === frame.content ? content.bytes : undefined;
  }

  /** Puts the prefix together; what is not there any longer is zeros, and what is made of it will not have its hash. */
  #gather({ prefix }: ChunkFrame, local: LocalChunks): void {
    const key = prefix.map(({ entry, offset, length }) => `${entry}:${offset}:${length}`).join();
    if (key === this.#prefix.key) return;
    const length = prefix.reduce((sum, range) => sum + range.length, 0);
    const buffer = this.#prefix.buffer.size < length ? new NativeBuffer(length) : this.#prefix.buffer;
    let at = 0;
    for (const range of prefix) {
      local.copyData(range.entry, range.offset, buffer, at, range.length);
      at += range.length;
    }
    this.#prefix = { key, buffer, length };
  }

  async #stored(index: number, length: number): Promise<Buffer> {
    return readWholly(this.#file, this.#offsets[index] ?? 0, length);
  }
}
