import { ImprintError } from '../../foundation/errors.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';
import { bindSha256 } from '../../native/sha256.ts';
import { createDecompressor } from '../../native/zstd.ts';
import type { VersionTable } from '../../tree/version-table.ts';

/** Gives the stored bytes of a frame: `length` bytes of a pack from `offset`. */
export type FetchFrame = (pack: string, offset: number, length: number) => Uint8Array;

/** Memory for the content of frames. */
const keptBytes = 128 << 20;
const smallest = 1 << 20;

/** Decompressed frames, the last ones used; each chunk is checked against its hash before the first byte of it is given out. */
export class FrameCache {
  readonly #table: VersionTable;
  readonly #fetch: FetchFrame;
  readonly #store: string;
  readonly #decompressor = createDecompressor();
  readonly #sha256 = bindSha256();
  readonly #hash = new NativeBuffer(32);
  /** In the order of their use, the last used last. */
  readonly #frames = new Map<number, { content: NativeBuffer; good: Set<number> }>();
  #bytes = 0;

  constructor(table: VersionTable, store: string, fetch: FetchFrame) {
    this.#table = table;
    this.#store = store;
    this.#fetch = fetch;
  }

  /** The content of a frame, in which `chunk` was checked. Throws `corrupt-pack`, and what fetching throws. */
  content(number: number, chunk: number): Buffer {
    const frame = this.#frame(number);
    if (!frame.good.has(chunk)) {
      const { chunkOffset, chunkLength, chunkHash } = this.#table;
      this.#sha256(frame.content.at(chunkOffset[chunk] as number), chunkLength[chunk] as number, this.#hash.pointer);
      if (this.#hash.bytes.compare(chunkHash, chunk * 32, chunk * 32 + 32) !== 0)
        throw this.#corrupt(number, 'a chunk does not have its hash');
      frame.good.add(chunk);
    }
    return frame.content.bytes;
  }

  #frame(number: number) {
    const known = this.#frames.get(number);
    if (known !== undefined) {
      this.#frames.delete(number);
      this.#frames.set(number, known);
      return known;
    }
    const { packs, framePack, frameOffset, frameLength, frameContent } = this.#table;
    const length = frameContent[number] as number;
    const stored = this.#fetch(
      packs[framePack[number] as number] ?? '',
      frameOffset[number] as number,
      frameLength[number] as number,
    );
    const content = this.#room(length);
    if (this.#decompressor.decompress(stored, content, 0) !== length)
      throw this.#corrupt(number, 'a frame cannot be decompressed');
    const frame = { content, good: new Set<number>() };
    this.#frames.set(number, frame);
    this.#bytes += content.size;
    return frame;
  }

  /** Memory for a frame: that of one that was not used for long, where enough is kept. Sizes are powers of two, so that it fits. */
  #room(length: number): NativeBuffer {
    const size = 2 ** Math.ceil(Math.log2(Math.max(length, smallest)));
    for (const [number, { content }] of this.#frames) {
      if (this.#bytes + size <= keptBytes) break;
      this.#frames.delete(number);
      this.#bytes -= content.size;
      if (content.size === size) return content;
    }
    return new NativeBuffer(size);
  }

  #corrupt(number: number, problem: string): ImprintError {
    const pack = this.#table.packs[this.#table.framePack[number] as number] ?? '';
    return new ImprintError('corrupt-pack', { pack, store: this.#store, problem });
  }
}
