import { requireFfi } from './library.ts';

/**
 * Memory that native calls may be given by address: allocated once, kept, reused. `bytes` and `pointer` are the same
 * memory; it stays where it is for as long as this object is held.
 */
export class NativeBuffer {
  readonly #memory: ArrayBuffer;
  readonly bytes: Buffer;
  readonly view: DataView;
  /** Address of the first byte. */
  readonly pointer: bigint;

  constructor(size: number) {
    // Not from Node's pool, and never on the heap of the engine, which moves things.
    const memory = new ArrayBuffer(Math.max(size, 128));
    this.#memory = memory;
    this.bytes = Buffer.from(memory, 0, size);
    this.view = new DataView(memory, 0, size);
    this.pointer = requireFfi().getRawPointer(memory);
  }

  /** Gives the memory back at once, where the engine would take its time; nobody may use it any longer. */
  free(): void {
    this.#memory.transfer(0);
  }

  get size(): number {
    return this.bytes.length;
  }

  /** Address of the byte at `offset`. */
  at(offset: number): bigint {
    return this.pointer + BigInt(offset);
  }
}
