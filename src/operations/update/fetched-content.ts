import { hash } from 'node:crypto';
import type { VersionRecord } from '../../contract/image.ts';
import type { Digest } from '../../foundation/brand.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Entry, WantedEntries } from '../../image/entry.ts';
import { KeptFrames } from '../../store/kept-frames.ts';
import type { VerifiedManifest } from '../../store/manifest-reader.ts';
import type { ChunkLocation, Store, StoredVersion } from '../../store/store.ts';
import { decompress } from '../../store/zstd.ts';
import type { BundleFile } from './bundle-file.ts';
import type { FetchedPacks } from './fetched-packs.ts';
import type { LocalChunks } from './local-chunks.ts';
import type { UpdateContent } from './update-content.ts';

/** Decompressed frames that are kept: contents are asked for in the order of the manifest, mostly. */
const keptBytes = 48 << 20;

/** Where chunks may come from, the cheapest first. */
export interface ContentSources {
  store: Store;
  local?: LocalChunks;
  bundle?: BundleFile;
  packs: FetchedPacks;
  /** Where chunks lie in packs, of those that were looked for; others are looked for when they are asked for. */
  places: Map<string, ChunkLocation>;
  /** Called with every piece that comes over the wire. */
  passed(bytes: number): Promise<void>;
}

/** An update's content, fetched before or when it is asked for. */
export class FetchedContent implements UpdateContent {
  readonly record: VersionRecord;
  readonly recordText: string;
  readonly signature?: string;
  readonly digest: Digest;
  readonly manifestFile: string;
  readonly #manifest: VerifiedManifest;
  readonly #sources: ContentSources;
  readonly #frames = new KeptFrames(keptBytes);
  readonly #before: { bytes: number; requests: number };
  readonly #resources: AsyncDisposable;

  constructor(
    version: StoredVersion,
    { manifest, file }: { manifest: VerifiedManifest; file: string },
    sources: ContentSources,
    before: { bytes: number; requests: number },
    resources: AsyncDisposable,
  ) {
    this.record = version.record;
    this.recordText = version.recordText;
    if (version.signature !== undefined) this.signature = version.signature;
    this.digest = version.record.digest as Digest;
    this.#manifest = manifest;
    this.manifestFile = file;
    this.#sources = sources;
    this.#before = before;
    this.#resources = resources;
  }

  get transferred(): { bytes: number; requests: number } {
    const { bytes, requests } = this.#sources.store.traffic;
    return { bytes: bytes - this.#before.bytes, requests: requests - this.#before.requests };
  }

  entries(): AsyncGenerator<Entry[]>;
  entries(wanted: WantedEntries): AsyncGenerator<(Entry | undefined)[]>;
  entries(wanted?: WantedEntries): AsyncGenerator<(Entry | undefined)[]> {
    return wanted === undefined ? this.#manifest.entries() : this.#manifest.entries(wanted);
  }

  async content(name: string): Promise<Uint8Array> {
    const { local, bundle, packs, store } = this.#sources;
    const near = local?.read(name);
    if (near !== undefined) return near;
    const brought = local === undefined ? undefined : bundle?.read(name, local);
    if (brought !== undefined) return brought;
    const place = await this.#locate(name);
    for (const mayBeOld of [true, false]) {
      if (!mayBeOld) {
        packs.forget(place);
        this.#frames.forget(place);
      }
      const content = await this.#ofFrame(place, name);
      if (content !== undefined) return content;
    }
    const problem = `the content ${name} is not what it should be`;
    throw new ImprintError('corrupt-pack', { pack: place.pack, store: store.location, problem });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#frames.clear();
    await this.#resources[Symbol.asyncDispose]();
  }

  async #locate(name: string): Promise<ChunkLocation> {
    const { places, store } = this.#sources;
    const known = places.get(name);
    if (known !== undefined) return known;
    const found = (await store.locate([name], this.digest)).get(name);
    if (found === undefined)
      throw new ImprintError('chunk-missing', { chunk: name, digest: this.digest, store: store.location });
    places.set(name, found);
    return found;
  }

  /** A chunk out of its frame, which is fetched where it is not there; undefined where it is not sound. */
  async #ofFrame(place: ChunkLocation, name: string): Promise<Uint8Array | undefined> {
    const frame = await this.#frames.get(place, () => this.#readFrame(place));
    const content = frame?.subarray(place.offset, place.offset + place.length);
    return content !== undefined && hash('sha256', content, 'hex') === name ? content : undefined;
  }

  async #readFrame(place: ChunkLocation): Promise<Uint8Array | undefined> {
    const { packs, store, passed } = this.#sources;
    for (const range of packs.missing([place])) await packs.fetch(store, range, passed);
    const stored = await packs.read(place);
    try {
      return stored === undefined ? undefined : decompress(stored, place.frameContentLength);
    } catch {
      return undefined;
    }
  }
}
