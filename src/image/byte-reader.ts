/** Reads pieces of wanted lengths from a stream of pieces of any length; holds no more than one piece beyond what is asked. */
export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #piece: Buffer = Buffer.alloc(0);
  #at = 0;
  /** Bytes taken so far. */
  offset = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Exactly `length` bytes; undefined where the stream ends before. They may share memory with the stream's piece. */
  async exactly(length: number): Promise<Buffer | undefined> {
    if (this.#piece.length - this.#at >= length) return this.#take(length);
    const parts: Buffer[] = [];
    let missing = length;
    while (missing > 0) {
      const part = await this.some(missing);
      if (part === undefined) return undefined;
      parts.push(part);
      missing -= part.length;
    }
    return Buffer.concat(parts);
  }

  /** Between 1 and `most` bytes, whatever is there first; undefined at the end of the stream. */
  async some(most: number): Promise<Buffer | undefined> {
    while (this.#at >= this.#piece.length) {
      const next = await this.#source.next();
      if (next.done) return undefined;
      this.#piece = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
      this.#at = 0;
    }
    return this.#take(Math.min(most, this.#piece.length - this.#at));
  }

  /** Passes over `length` bytes; false where the stream ends before. */
  async skip(length: number): Promise<boolean> {
    let left = length;
    while (left > 0) {
      const part = await this.some(left);
      if (part === undefined) return false;
      left -= part.length;
    }
    return true;
  }

  /** Tells the stream that no more is wanted. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }

  #take(length: number): Buffer {
    const taken = this.#piece.subarray(this.#at, this.#at + length);
    this.#at += length;
    this.offset += length;
    return taken;
  }
}
