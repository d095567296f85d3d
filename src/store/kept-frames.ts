import type { ChunkLocation } from './store.ts';

/** Decompressed frames, the last ones used, up to so many bytes: what lies side by side is decompressed once. */
export class KeptFrames {
  readonly #limit: number;
  /** By pack and offset, the one that was used last at the end. */
  readonly #frames = new Map<string, Uint8Array>();
  /** Those that are being read: many chunks of one may be asked for at once. */
  readonly #coming = new Map<string, Promise<Uint8Array | undefined>>();
  #bytes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The frame at a place: kept, on its way, or given by `read`, whose undefined and rejections are not remembered. Not to be changed. */
  async get<Frame extends Uint8Array | undefined>(
    place: ChunkLocation,
    read: () => Promise<Frame>,
  ): Promise<Uint8Array | Frame> {
    const key = keyOf(place);
    const known = this.#frames.get(key);
    if (known !== undefined) {
      this.#frames.delete(key);
      this.#frames.set(key, known);
      return known;
    }
    const coming = (this.#coming.get(key) as Promise<Frame> | undefined) ?? this.#read(key, read);
    return coming;
  }

  /** Has the frame at a place read anew when it is next asked for. */
  forget(place: ChunkLocation): void {
    this.#drop(keyOf(place));
  }

  clear(): void {
    this.#frames.clear();
    this.#bytes = 0;
  }

  #read<Frame extends Uint8Array | undefined>(key: string, read: () => Promise<Frame>): Promise<Frame> {
    const coming = read()
      .then((frame) => {
        if (frame !== undefined) this.#keep(key, frame);
        return frame;
      })
      .finally(() => this.#coming.delete(key));
    this.#coming.set(key, coming);
    return coming;
  }

  #keep(key: string, frame: Uint8Array): void {
    this.#frames.set(key, frame);
    this.#bytes += frame.length;
    for (const oldest of this.#frames.keys()) {
      if (this.#bytes <= this.#limit || oldest === key) break;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    this.#bytes -= this.#frames.get(key)?.length ?? 0;
    this.#frames.delete(key);
  }
}

function keyOf({ pack, frameOffset }: ChunkLocation): string {
  return `${pack}:${frameOffset}`;
}
