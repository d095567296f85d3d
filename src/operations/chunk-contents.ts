import { hash } from 'node:crypto';
import type { Digest } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { ChunkReference, Entry } from '../image/entry.ts';
import { KeptFrames } from '../store/kept-frames.ts';
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
  readonly #frames = new KeptFrames(keptBytes);
  #places: ReadonlyMap<string, ChunkLocation> = new Map();

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
    if (place === undefined || place.length !== chunk.length) throw this.#missing(name);
    return this.#content(place, name);
  }

  /** The bytes of any chunk of the version by its name, 64 hexadecimal digits, wherever it lies. Not to be changed. */
  async readNamed(name: string): Promise<Uint8Array> {
    const place = (await this.#store.locate([name], this.#digest)).get(name);
    if (place === undefined) throw this.#missing(name);
    return this.#content(place, name);
  }

  async #content(place: ChunkLocation, name: string): Promise<Uint8Array> {
    const frame = await this.#frames.get(place, () => readFrame(this.#store, place));
    const content = frame.subarray(place.offset, place.offset + place.length);
    if (hash('sha256', content, 'hex') === name) return content;
    const problem = `the content ${name} is not what it should be`;
    throw new ImprintError('corrupt-pack', { pack: place.pack, store: this.#store.location, problem });
  }

  #missing(name: string): ImprintError {
    return new ImprintError('chunk-missing', { chunk: name, digest: this.#digest, store: this.#store.location });
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
