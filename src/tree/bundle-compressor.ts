import { hash } from 'node:crypto';
import { rawPath } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import { close, open, openFlags, readAt } from '../native/files.ts';
import { NativeBuffer } from '../native/native-buffer.ts';
import { createDecompressor } from '../native/zstd.ts';
import { createPrefixCompressor } from '../native/zstd-prefix.ts';
import type { BundleJob, BundlePiece, BundleWorkerData } from './bundle-message.ts';

/** Decompressed frames of packs that are kept, in bytes: neighbours are mostly asked for one after another. */
const keptBytes = 32 << 20;
/** Memory for frames is had in pieces of this length, so that one that is kept no longer has room for the next: memory comes back late from who throws it away. */
const frameRoom = 8 << 20;
/** Most prefixes and all but few contents are shorter than this. */
const gatherRoom = 32 << 20;

/** Puts pieces of content together and compresses them, in one thread; all calls synchronous. */
export class BundleCompressor {
  readonly #store: string;
  readonly #compressor;
  readonly #decompressor = createDecompressor();
  readonly #frames = new Map<string, NativeBuffer>();
  /** What a frame lay in that is kept no longer. */
  #spare: NativeBuffer | undefined;
  #kept = 0;
  #stored = new NativeBuffer(1 << 20);
  #prefix = new NativeBuffer(1 << 20);
  #source = new NativeBuffer(1 << 20);
  #open: { path: string; fd: number } | undefined;

  constructor({ store, level }: BundleWorkerData) {
    this.#store = store;
    this.#compressor = createPrefixCompressor(level);
  }

  /** The job's frames, compressed, each in memory of its own. Throws `corrupt-pack`. */
  compress({ prefix, frames }: BundleJob): Uint8Array<ArrayBuffer>[] {
    const prefixLength = lengthOf(prefix);
    this.#prefix = this.#gather(prefix, prefixLength, this.#prefix);
    return frames.map((pieces) => {
      const length = lengthOf(pieces);
      this.#source = this.#gather(pieces, length, this.#source);
      const compressed = this.#compressor.compress(
        { buffer: this.#prefix, length: prefixLength },
        { buffer: this.#source, length },
      );
      return new Uint8Array(compressed);
    });
  }

  close(): void {
    if (this.#open !== undefined) close(this.#open.fd);
    this.#open = undefined;
    this.#compressor.free();
    this.#decompressor.free();
  }

  #gather(pieces: readonly BundlePiece[], total: number, into: NativeBuffer): NativeBuffer {
    // With room for the next ones: what is never written to takes no memory.
    const fits = into.size >= total && (into.size <= gatherRoom || total > gatherRoom);
    if (!fits) into.free();
    const buffer = fits ? into : new NativeBuffer(Math.max(total, gatherRoom));
    let at = 0;
    for (const piece of pieces) {
      buffer.bytes.set('bytes' in piece ? piece.bytes : this.#content(piece), at);
      at += piece.length;
    }
    return buffer;
  }

  #content(piece: Exclude<BundlePiece, { bytes: Uint8Array }>): Uint8Array {
    const frame = this.#frame(piece);
    const bytes = frame.bytes.subarray(piece.offset, piece.offset + piece.length);
    if (piece.hash !== undefined && !hash('sha256', bytes, 'buffer').equals(piece.hash))
      throw this.#corrupt(piece.pack, 'a chunk does not have its hash');
    return bytes;
  }

  #frame(piece: Exclude<BundlePiece, { bytes: Uint8Array }>): NativeBuffer {
    const { pack, frameOffset, frameLength, frameContentLength } = piece;
    const key = `${pack}:${frameOffset}`;
    const known = this.#frames.get(key);
    if (known !== undefined) {
      this.#frames.delete(key);
      this.#frames.set(key, known);
      return known;
    }
    if (this.#stored.size < frameLength) {
      this.#stored.free();
      this.#stored = new NativeBuffer(frameLength);
    }
    if (readAt(this.#openPack(pack), this.#stored.pointer, frameLength, frameOffset) < frameLength)
      throw this.#corrupt(pack, 'it is cut short');
    this.#makeRoom(frameContentLength);
    const content = this.#takeRoom(frameContentLength);
    const stored = this.#stored.bytes.subarray(0, frameLength);
    if (this.#decompressor.decompress(stored, content, 0) !== frameContentLength)
      throw this.#corrupt(pack, 'a frame cannot be decompressed');
    this.#frames.set(key, content);
    this.#kept += content.size;
    return content;
  }

  /** Gives up the frames that were used longest ago until one of this length fits. */
  #makeRoom(length: number): void {
    for (const [oldest, content] of this.#frames) {
      if (this.#kept + Math.max(length, frameRoom) <= keptBytes) break;
      this.#frames.delete(oldest);
      this.#kept -= content.size;
      this.#spare?.free();
      this.#spare = content;
    }
  }

  #takeRoom(length: number): NativeBuffer {
    const spare = this.#spare;
    this.#spare = undefined;
    if (spare !== undefined && spare.size >= length) return spare;
    spare?.free();
    return new NativeBuffer(Math.max(length, frameRoom));
  }

  #openPack(path: string): number {
    if (this.#open?.path === path) return this.#open.fd;
    if (this.#open !== undefined) close(this.#open.fd);
    this.#open = undefined;
    this.#open = { path, fd: open(rawPath(path), openFlags.readOnly) };
    return this.#open.fd;
  }

  #corrupt(path: string, problem: string): ImprintError {
    const pack = path.slice(path.lastIndexOf('/') + 1).replace(/\.pack$/, '');
    return new ImprintError('corrupt-pack', { pack, store: this.#store, problem });
  }
}

function lengthOf(pieces: readonly BundlePiece[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}
