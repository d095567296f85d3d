import type { ChunkLocation, Store } from '../../store/store.ts';
import { checkChunk, type Frame, readFrame } from '../verify-content.ts';

/** Content of a frame, and which of its chunks were found right. */
interface KeptFrame {
  readonly content: Uint8Array;
  readonly right: Set<number>;
}

/**
 * Chunks of a version, each checked before it is given out. Frames are kept while there is room, the ones that were asked for last; a frame
 * that several ask for at once is fetched once. Errors: those of `Store.readPack`, `corrupt-pack` (the frame is forgotten: the next one
 * who asks has it fetched again).
 */
export class FrameReader {
  readonly #store: Store;
  readonly #room: number;
  /** By pack and offset, the one that was used last behind all others. */
  readonly #frames = new Map<string, Promise<KeptFrame>>();
  readonly #sizes = new Map<string, number>();
  #used = 0;
  /** How often a frame was fetched. */
  fetched = 0;
  /** Frames in the order in which they were needed first. */
  readonly order = new Set<string>();

  /** @param room bytes of content that are kept at most, but for one frame, however large that is */
  constructor(store: Store, room: number) {
    this.#store = store;
    this.#room = room;
  }

  /** A chunk, by its hash in hexadecimal. The bytes are the cache's own: not to be written. */
  async chunk(name: string, place: ChunkLocation): Promise<Uint8Array> {
    const frame = await this.#frame(place);
    const { offset, length } = place;
    if (frame.right.has(offset)) return frame.content.subarray(offset, offset + length);
    try {
      const content = checkChunk(this.#store, name, place, frame.content);
      frame.right.add(offset);
      return content;
    } catch (error) {
      this.#forget(frameName(place));
      throw error;
    }
  }

  /** Fetches a frame before anybody asks for it; while there is room for it only. Never rejects. */
  async fetchAhead(place: ChunkLocation): Promise<void> {
    if (this.#frames.has(frameName(place)) || this.#used + place.frameContentLength > this.#room) return;
    await this.#frame(place, true).catch(() => {});
  }

  #frame(place: ChunkLocation, isAhead = false): Promise<KeptFrame> {
    const name = frameName(place);
    const known = this.#frames.get(name);
    if (!isAhead) this.order.add(name);
    if (known !== undefined) {
      this.#frames.delete(name);
      this.#frames.set(name, known);
      return known;
    }
    const fetching = readFrame(this.#store, place).then((content) => ({ content, right: new Set<number>() }));
    this.#frames.set(name, fetching);
    this.fetched += 1;
    fetching.then(
      ({ content }) => this.#keep(name, content.length),
      () => this.#forget(name),
    );
    return fetching;
  }

  /** Makes room for a frame that has come; what is still under way is waited for by somebody. */
  #keep(name: string, length: number): void {
    this.#sizes.set(name, length);
    this.#used += length;
    for (const oldest of this.#frames.keys()) {
      if (this.#used <= this.#room || oldest === name) break;
      if (this.#sizes.has(oldest)) this.#forget(oldest);
    }
  }

  #forget(name: string): void {
    if (!this.#frames.delete(name)) return;
    this.#used -= this.#sizes.get(name) ?? 0;
    this.#sizes.delete(name);
  }
}

/** `PACK OFFSET`. */
export function frameName({ pack, frameOffset }: Frame): string {
  return `${pack} ${frameOffset}`;
}
