import { rawPath } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import { close, open, openFlags, readAt } from '../native/files.ts';
import { NativeBuffer } from '../native/native-buffer.ts';
import { bindSha256 } from '../native/sha256.ts';
import { createDecompressor } from '../native/zstd.ts';
import { chunkColumns, frameColumns, type RestoreUnit } from './restore-message.ts';

/** Decompresses runs of frames and verifies their chunks; keeps its buffers. */
export class FrameReader {
  readonly #store: string;
  readonly #decompressor = createDecompressor();
  readonly #sha256 = bindSha256();
  readonly #hash = new NativeBuffer(32);
  #content = new NativeBuffer(9 << 20);
  #compressed = new NativeBuffer(4 << 20);
  #open: { path: string; fd: number } | undefined;

  constructor(store: string) {
    this.#store = store;
  }

  /** The content of a unit's frames, joined; valid until the next call. Throws `corrupt-pack`. */
  read(unit: Pick<RestoreUnit, 'pack' | 'source' | 'frames' | 'chunks' | 'hashes'>): NativeBuffer {
    const { frames } = unit;
    const run = 'bytes' in unit.source ? unit.source.bytes : this.#readRun(unit.pack, unit.source);
    let total = 0;
    for (let row = 2; row < frames.length; row += frameColumns) total += frames[row] as number;
    if (total > this.#content.size) this.#content = new NativeBuffer(total);
    let at = 0;
    for (let row = 0; row < frames.length; row += frameColumns) {
      const [offset, length, content] = frames.subarray(row, row + frameColumns) as unknown as [number, number, number];
      const frame = run.subarray(offset, offset + length);
      if (this.#decompressor.decompress(frame, this.#content, at) !== content) {
        throw this.#corrupt(unit.pack, 'a frame cannot be decompressed');
      }
      at += content;
    }
    this.#verify(unit);
    return this.#content;
  }

  close(): void {
    if (this.#open !== undefined) close(this.#open.fd);
    this.#open = undefined;
    this.#decompressor.free();
  }

  #verify({ pack, chunks, hashes }: Pick<RestoreUnit, 'pack' | 'chunks' | 'hashes'>): void {
    for (let row = 0; row * chunkColumns < chunks.length; row += 1) {
      const offset = chunks[row * chunkColumns] as number;
      const length = chunks[row * chunkColumns + 1] as number;
      this.#sha256(this.#content.at(offset), length, this.#hash.pointer);
      if (this.#hash.bytes.compare(hashes, row * 32, row * 32 + 32) !== 0) {
        throw this.#corrupt(pack, 'a chunk does not have its hash');
      }
    }
  }

  #readRun(pack: string, { path, offset, length }: { path: string; offset: number; length: number }): Uint8Array {
    if (length > this.#compressed.size) this.#compressed = new NativeBuffer(length);
    if (this.#open?.path !== path) {
      if (this.#open !== undefined) close(this.#open.fd);
      this.#open = undefined;
      this.#open = { path, fd: this.#openPack(pack, path) };
    }
    const got = readAt(this.#open.fd, this.#compressed.pointer, length, offset);
    if (got < length) throw this.#corrupt(pack, 'it is cut short');
    return this.#compressed.bytes.subarray(0, length);
  }

  #openPack(pack: string, path: string): number {
    try {
      return open(rawPath(path), openFlags.readOnly);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') throw this.#corrupt(pack, 'it is missing');
      throw cause;
    }
  }

  #corrupt(pack: string, problem: string): ImprintError {
    return new ImprintError('corrupt-pack', { pack, store: this.#store, problem });
  }
}
