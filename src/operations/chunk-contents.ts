import { hash } from 'node:crypto';
import type { Digest } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { ChunkReference, Entry } from '../image/entry.ts';
import type { ChunkLocation, Store } from '../store/store.ts';
import { readFrame } from './verify-content.ts';

/** Decompressed frames that are kept: files of one directory lie in few of them, though not one after another. */
const keptBytes = 64 << 20;

/**
 * The contents of a version's chunks, asked for in the order of the manifest: each checked against its hash, frames kept for a while
 * so that those that lie side by side are decompressed once. Errors: `chunk-missing`, `corrupt-pack`.
 */
export class ChunkContents {
  readonly #store: Store;
  readonly #digest: Digest;
  /** By pack and offset, the one that was used last at the end. */
  readonly #frames = new Map<string, Uint8Array>();
  #places: ReadonlyMap<string, ChunkLocation> = new Map();
  #kept = 0;

  constructor(store: Store, digest: Digest) {
    this.#store = store;
    this.#digest = digest;
  }

  /** Finds where all content of these entries lies; what was found before is forgotten. */
  async find(entries: readonly Entry[]): Promise<void> {
    const hashes = new Set<string>();
    for (const { chunks } of entries) for (const { hash } of chunks ?? []) hashes.add(hex(hash));
    this.#places = hashes.size === 0 ? new Map() : await this.#store.locate(hashes, this.#digest);
  }

  /** The bytes of a chunk of the entries that `find` was last given. Not to be changed. */
  async read(chunk: ChunkReference): Promise<Uint8Array> {
    const name = hex(chunk.hash);
    const place = this.#places.get(name);
    if (place === undefined || place.length !== chunk.length) {
      throw new ImprintError('chunk-missing', { chunk: name, digest: this.#digest, store: this.#store.location });
    }
    const frame = await this.#frame(place);
    const content = frame.subarray(place.offset, place.offset + place.length);
    if (hash('sha256', content, 'hex') === name) return content;
    const problem = `the content ${name} is not what it should be`;
    throw new ImprintError('corrupt-pack', { pack: place.pack, store: this.#store.location, problem });
  }

  async #frame(place: ChunkLocation): Promise<Uint8Array> {
    const key = `${place.pack}:${place.frameOffset}`;
    const known = this.#frames.get(key);
    if (known !== undefined) {
      this.#frames.delete(key);
      this.#frames.set(key, known);
      return known;
    }
    const frame = await readFrame(this.#store, place);
    this.#frames.set(key, frame);
    this.#kept += frame.length;
    for (const [oldest, content] of this.#frames) {
      if (this.#kept <= keptBytes || oldest === key) break;
      this.#frames.delete(oldest);
      this.#kept -= content.length;
    }
    return frame;
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
