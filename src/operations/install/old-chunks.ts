import { constants, zstdCompressSync } from 'node:zlib';
import { ImprintError } from '../../foundation/errors.ts';
import type { ChunkLocation, ContentSource, Store } from '../../store/store.ts';
import { Column } from '../../tree/columns.ts';

/** What a frame holds, about: as in packs. */
const frameContent = 1 << 20;
/** What is noted of a chunk: its name, and where it is. */
const noteBytes = 200;
/** What a restore takes for the pack that they are in. */
const packName = 'what was taken from the old system';

/**
 * Chunks in memory, compressed, in frames as a pack has them: so that a restore reads them as it reads a store's. Who adds them has verified them; the restore
 * does so again.
 */
export class OldChunks {
  /** Bytes of their content. */
  content = 0;
  readonly #rows = new Map<string, number>();
  /** By chunk: its frame, its place in that and its length. */
  #frame = Column.u32();
  #at = Column.u32();
  #length = Column.u32();
  #frames: { offset: number; bytes: Buffer; content: number }[] = [];
  #held = 0;
  /** Content of the frame that is not full yet. */
  #open: Buffer[] = [];
  #opened = 0;

  /** Bytes of memory that all of it takes, as near as can be said. */
  get memory(): number {
    return this.#held + this.#opened + this.#rows.size * noteBytes;
  }

  has(name: string): boolean {
    return this.#rows.has(name);
  }

  /** Keeps a chunk's content, which nobody else may change, under its hash (64 hexadecimal digits). */
  add(name: string, content: Buffer): void {
    if (this.#opened > 0 && this.#opened + content.length > frameContent) this.seal();
    this.#rows.set(name, this.#frame.length);
    this.#frame.push(this.#frames.length);
    this.#at.push(this.#opened);
    this.#length.push(content.length);
    this.#open.push(content);
    this.#opened += content.length;
    this.content += content.length;
  }

  /** Compresses what is not yet: to be called after the last chunk. */
  seal(): void {
    if (this.#opened === 0) return;
    const params = { [constants.ZSTD_c_compressionLevel]: 1 };
    const bytes = zstdCompressSync(Buffer.concat(this.#open), { params });
    this.#frames.push({ offset: this.#held, bytes, content: this.#opened });
    this.#held += bytes.length;
    this.#open = [];
    this.#opened = 0;
  }

  /** Lets go of all of it. */
  clear(): void {
    this.#rows.clear();
    [this.#frame, this.#at, this.#length] = [Column.u32(), Column.u32(), Column.u32()];
    [this.#frames, this.#open] = [[], []];
    [this.#held, this.#opened, this.content] = [0, 0, 0];
  }

  /** What has these chunks, and all others from the store. */
  before(store: Store): ContentSource {
    return {
      location: store.location,
      entries: (digest) => store.entries(digest),
      locate: async (names, digest) => {
        const found = new Map<string, ChunkLocation>();
        const others: string[] = [];
        for (const name of names) {
          const place = this.#place(name);
          if (place === undefined) others.push(name);
          else found.set(name, place);
        }
        if (others.length === 0) return found;
        for (const [name, place] of await store.locate(others, digest)) found.set(name, place);
        return found;
      },
      readPack: async (pack, offset, length) =>
        pack === packName ? this.#read(offset, length) : store.readPack(pack, offset, length),
      packFile: (pack) => (pack === packName ? undefined : store.packFile(pack)),
    };
  }

  #place(name: string): ChunkLocation | undefined {
    const row = this.#rows.get(name);
    const frame = row === undefined ? undefined : this.#frames[this.#frame.at(row)];
    if (row === undefined || frame === undefined) return undefined;
    const { offset: frameOffset, bytes, content: frameContentLength } = frame;
    const frameLength = bytes.length;
    const [offset, length] = [this.#at.at(row), this.#length.at(row)];
    return { pack: packName, frameOffset, frameLength, frameContentLength, offset, length };
  }

  /** Whole frames, as memory that can be given away. */
  #read(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    let done = 0;
    for (let at = this.#frameAt(offset); done < length && at < this.#frames.length; at += 1) {
      const frame = this.#frames[at] as { bytes: Buffer };
      if (done + frame.bytes.length > length) break;
      bytes.set(frame.bytes, done);
      done += frame.bytes.length;
    }
    if (done === length) return bytes;
    throw new ImprintError('internal', { problem: `${packName} has no frames from ${offset} to ${offset + length}` });
  }

  /** Number of the frame that begins there. */
  #frameAt(offset: number): number {
    let [low, high] = [0, this.#frames.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#frames[middle] as { offset: number }).offset < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
