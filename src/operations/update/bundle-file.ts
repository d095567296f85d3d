import { hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { Digest } from '../../foundation/brand.ts';
import { type BundleTable, bundleHead, type ChunkFrame } from '../../image/bundle.ts';
import { FormatError } from '../../image/format-error.ts';
import { readAt } from '../../native/files.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';
import { createPrefixDecompressor } from '../../native/zstd-prefix.ts';
import { openBundle } from '../../store/open-bundle.ts';
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

/** A frame's content; not `sound` where it cannot be had. */
interface Content {
  buffer: NativeBuffer;
  sound: boolean;
}

/**
 * A bundle that lies on this machine. Nothing in it is believed: what comes out of it is checked by its hash, the manifest by its digest. It reads and decompresses
 * in memory that it keeps: new memory for each frame would cost as much as decompressing.
 */
export class BundleFile implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #table: BundleTable;
  readonly #offsets: number[] = [];
  readonly #decompressor = createPrefixDecompressor();
  readonly #places = new Map<string, Place>();
  /** By the frame's number, the one that was asked for last at the end. */
  readonly #contents = new Map<number, Content>();
  /** Lengths of the longest frame, as it is stored and of its content, and of the longest prefix. */
  readonly #longest = { stored: 0, content: 0, prefix: 0 };
  #stored: NativeBuffer | undefined;
  #prefix = { key: '', buffer: new NativeBuffer(0), length: 0 };

  private constructor(file: FileHandle, table: BundleTable) {
    this.#file = file;
    this.#table = table;
    let at = bundleHead.length;
    for (const { stored } of [...table.manifest, ...table.frames]) {
      this.#offsets.push(at);
      at += stored;
    }
    for (const { stored, content, prefix } of table.frames) {
      const longest = this.#longest;
      longest.stored = Math.max(longest.stored, stored);
      longest.content = Math.max(longest.content, content);
      longest.prefix = Math.max(longest.prefix, lengthOf(prefix));
    }
    for (const { stored } of table.manifest) this.#longest.stored = Math.max(this.#longest.stored, stored);
  }

  /** Opens a bundle and checks all of its bytes against its own checksum. Throws a `FormatError` where it is not whole, or another one. */
  static async open(path: string, from: Digest, to: Digest): Promise<BundleFile> {
    const { file, table } = await openBundle(path, from, to);
    return new BundleFile(file, table);
  }

  /** The new manifest of `length` bytes, uncompressed, from the old one's; unverified. Throws a `FormatError`. */
  manifest(before: Buffer, length: number): Buffer {
    if (this.#table.manifest.reduce((sum, { content }) => sum + content, 0) !== length)
      throw new FormatError('its manifest has another length');
    const parts: Buffer[] = [];
    for (const [index, { stored, content, prefix }] of this.#table.manifest.entries()) {
      if (prefix.offset + prefix.length > before.length) throw new FormatError('a prefix reaches past the end');
      const buffer = new NativeBuffer(prefix.length);
      buffer.bytes.set(before.subarray(prefix.offset, prefix.offset + prefix.length));
      const target = new NativeBuffer(content);
      const frame = this.#read(index, stored);
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

  /** A chunk, checked against its hash; undefined where it is not in it, or does not come out right. Valid until the next call. */
  read(name: string, local: LocalChunks): Buffer | undefined {
    const place = this.#places.get(name);
    if (place === undefined) return undefined;
    const { buffer, sound } = this.#frame(place.frame, local);
    const bytes = buffer.bytes.subarray(place.offset, place.offset + place.length);
    return sound && hash('sha256', bytes, 'hex') === name ? bytes : undefined;
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

  #frame(index: number, local: LocalChunks): Content {
    const content = this.#contents.get(index) ?? this.#decompressed(index, local);
    this.#contents.delete(index);
    this.#contents.set(index, content);
    return content;
  }

  /** In the memory of the frame that was asked for longest ago, once there are enough of them. */
  #decompressed(index: number, local: LocalChunks): Content {
    const frame = this.#table.frames[index] as ChunkFrame;
    let buffer: NativeBuffer | undefined;
    const [oldest] = this.#contents;
    if (oldest !== undefined && this.#contents.size >= keptFrames) {
      buffer = oldest[1].buffer;
      this.#contents.delete(oldest[0]);
    }
    buffer ??= new NativeBuffer(this.#longest.content);
    const stored = this.#read(this.#table.manifest.length + index, frame.stored);
    this.#gather(frame, local);
    return { buffer, sound: this.#decompressor.decompress(stored, this.#prefix, buffer) === frame.content };
  }

  /** Puts the prefix together; what is not there any longer is zeros, and what is made of it will not have its hash. */
  #gather({ prefix }: ChunkFrame, local: LocalChunks): void {
    const key = prefix.map(({ entry, offset, length }) => `${entry}:${offset}:${length}`).join();
    if (key === this.#prefix.key) return;
    const length = lengthOf(prefix);
    const buffer = this.#prefix.buffer.size < length ? new NativeBuffer(this.#longest.prefix) : this.#prefix.buffer;
    let at = 0;
    for (const range of prefix) {
      local.copyData(range.entry, range.offset, buffer, at, range.length);
      at += range.length;
    }
    this.#prefix = { key, buffer, length };
  }

  /** A frame as it is stored. Throws a `FormatError` where the file ends before. */
  #read(index: number, length: number): Buffer {
    this.#stored ??= new NativeBuffer(this.#longest.stored);
    const { pointer, bytes } = this.#stored;
    if (readAt(this.#file.fd, pointer, length, this.#offsets[index] ?? 0) < length)
      throw new FormatError('it is cut short');
    return bytes.subarray(0, length);
  }
}

function lengthOf(prefix: readonly { length: number }[]): number {
  return prefix.reduce((sum, { length }) => sum + length, 0);
}
