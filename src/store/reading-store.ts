import type { Digest } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Entry } from '../image/entry.ts';
import { FormatError } from '../image/format-error.ts';
import { formatReference, parseReference, type Reference } from '../image/reference.ts';
import type { ChunkIndex } from './chunk-index.ts';
import { bundlePath, isHexHash, manifestPath, packPath } from './layout.ts';
import { readManifest, readManifestFile, readManifestMessages } from './manifest-reader.ts';
import type { PackListLine } from './pack-list.ts';
import { PackTables } from './pack-tables.ts';
import type { ChunkLocation, Purpose, Store, StoredTrust, StoredVersion } from './store.ts';
import type { FileState, RangeSink, StoreFiles, Traffic } from './store-files.ts';
import type { VersionIndex } from './store-index.ts';
import { readTrust } from './trust-files.ts';
import { readVersion, type TagTarget } from './version-files.ts';
import type { VersionGuard } from './version-guard.ts';

/** What a store says it holds of one image, before any record is read. */
export interface ImageListing {
  name: string;
  /** Rising. */
  versions: number[];
  /** What the index knows of each version, where there is an index. */
  index: Map<number, VersionIndex>;
  tags: Map<string, TagTarget>;
  /** Versions and tags that the index has, but whose files are neither there nor were removed. */
  lost?: { versions: VersionIndex[]; tags: Map<string, number> };
}

/** All of reading a store that does not depend on where it lies. */
export abstract class ReadingStore implements Store {
  readonly files: StoreFiles;
  /** Tables that were read so far; a directory forgets them when packs have gone. */
  tables: PackTables;
  readonly #guard: VersionGuard | undefined;

  constructor(files: StoreFiles, guard?: VersionGuard) {
    this.files = files;
    this.#guard = guard;
    this.tables = new PackTables(files);
  }

  get location(): string {
    return this.files.location;
  }

  /** Where manifests are read from; all that comes is verified. */
  protected get manifests(): Pick<StoreFiles, 'location' | 'read'> {
    return this.files;
  }

  /** One of them was damaged: what is read next comes from the store. */
  protected forgetManifests(): void {}

  /**
   * All images by name, or the one. A tag that cannot be read is thrown (`corrupt-record`), or given to `tolerate` and
   * left out.
   */
  abstract images(name?: string, tolerate?: (error: ImprintError) => void): Promise<ImageListing[]>;
  /** All packs of the store, with what is known of their tables. */
  abstract packs(): Promise<(string | PackListLine)[]>;

  async versions(image?: string): Promise<StoredVersion[]> {
    const listings = await this.images(image);
    const versions: StoredVersion[] = [];
    for (const listing of listings) {
      const loaded = await Promise.all(listing.versions.map((number) => this.#tryLoad(listing, number)));
      const gone = listing.versions.filter((_, index) => loaded[index] === undefined);
      if (gone.length > 0) {
        // Removed since the listing was made; what is still listed is missing.
        const [now] = await this.images(listing.name, () => {});
        for (const number of gone)
          if (now?.versions.includes(number)) throw this.#notFound(`${listing.name}:${number}`);
      }
      versions.push(...loaded.filter((version) => version !== undefined));
    }
    if (image !== undefined && versions.length === 0) throw this.#notFound(image);
    return versions;
  }

  async resolve(text: string, purpose: Purpose = 'use'): Promise<StoredVersion> {
    const version = await this.find(text);
    await this.#guard?.check(version, purpose, this);
    return version;
  }

  async *newer(image: string, number: number): AsyncGenerator<StoredVersion> {
    const [listing] = await this.images(image, () => {});
    for (const each of listing?.versions.toReversed() ?? []) {
      if (each <= number) return;
      try {
        yield await this.#load(listing as ImageListing, each);
      } catch (error) {
        if (!(error instanceof ImprintError) || (error.code !== 'corrupt-record' && error.code !== 'image-not-found'))
          throw error;
      }
    }
  }

  trustDocument(version: number): Promise<StoredTrust | undefined> {
    return readTrust(this.files, version);
  }

  async find(text: string): Promise<StoredVersion> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#find(text);
      } catch (error) {
        // A tag may have moved, or the newest version gone, between two looks.
        const missing = error instanceof ImprintError && error.code === 'image-not-found';
        if (!missing || tries === 4 || parseReference(text).kind === 'number' || error.details.listed !== 1)
          throw error;
      }
    }
  }

  async #find(text: string): Promise<StoredVersion> {
    const reference = parseReference(text);
    if (reference.kind === 'digest') return this.#byDigest(reference, text);
    const [listing] = await this.images(reference.image);
    const number = listing === undefined ? undefined : numberOf(reference, listing);
    if (listing === undefined || number === undefined) throw this.#notFound(text);
    if (!listing.versions.includes(number)) throw this.#notFound(text, reference.kind !== 'number');
    const version = await this.#load(listing, number);
    const target = reference.kind === 'tag' ? listing.tags.get(reference.tag) : undefined;
    if (target !== undefined && target.digest !== version.record.digest)
      throw new ImprintError('corrupt-record', {
        record: formatReference(reference),
        store: this.location,
        problem: `it points at ${target.digest}, but version ${number} is ${version.record.digest}`,
      });
    return version;
  }

  entries(digest: Digest): AsyncGenerator<Entry[]> {
    return this.#present(digest, readManifest(this.manifests, digest));
  }

  messages(digest: Digest): AsyncGenerator<Buffer[]> {
    return this.#present(digest, readManifestMessages(this.manifests, digest));
  }

  async *#present<Item>(digest: Digest, batches: AsyncGenerator<Item>): AsyncGenerator<Item> {
    try {
      yield* batches;
    } catch (error) {
      throw await this.#presentError(error, digest);
    }
  }

  /** Removed between its record and its manifest, perhaps: then nothing is damaged. */
  async #presentError(error: unknown, digest: Digest): Promise<unknown> {
    this.forgetManifests();
    const gone = error instanceof ImprintError && error.code === 'corrupt-manifest' && (await this.#isGone(digest));
    return gone ? this.#notFound(digest) : error;
  }

  /** A store behind HTTP cannot be told who reads it: its packs stay for a grace period instead. */
  async lease(_digest: Digest): Promise<AsyncDisposable> {
    return { [Symbol.asyncDispose]: async () => {} };
  }

  async locate(hashes: Iterable<string>, digest?: Digest): Promise<Map<string, ChunkLocation>> {
    return this.locateIn(this.tables, [...hashes], digest);
  }

  /** Looks in the version's own packs first, then in those whose tables were read, then in all. */
  protected async locateIn(
    tables: PackTables,
    hashes: string[],
    digest: Digest | undefined,
  ): Promise<Map<string, ChunkLocation>> {
    const found = new Map<string, ChunkLocation>();
    // Its own packs are those that a lease of the version keeps.
    const list = digest === undefined ? [] : ((await tables.listOf(digest)) ?? []);
    await tables.load(list);
    const own = new Set(list.map(({ pack }) => pack));
    let rest = findIn(tables.index, hashes, found, own);
    if (rest.length > 0) {
      await tables.load(await this.packs());
      rest = findIn(tables.index, rest, found, own);
    }
    const [missing] = rest;
    if (missing === undefined) return found;
    for (const failure of tables.failures.values()) throw failure;
    throw new ImprintError('chunk-missing', {
      chunk: missing,
      digest: digest ?? 'a version',
      store: this.location,
    });
  }

  async readPack(pack: string, offset: number, length: number): Promise<Uint8Array> {
    let problem = 'it is missing';
    try {
      const bytes = isHexHash(pack) ? await this.files.readRange(packPath(pack), offset, length) : undefined;
      if (bytes?.length === length) return bytes;
      if (bytes !== undefined) problem = 'it is cut short';
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      problem = error.message;
    }
    throw new ImprintError('corrupt-pack', { pack, store: this.location, problem });
  }

  async copyPack(pack: string, offset: number, length: number, sink: RangeSink): Promise<void> {
    if (isHexHash(pack) && (await this.files.copy(packPath(pack), { offset, length }, sink))) return;
    throw new ImprintError('corrupt-pack', {
      pack,
      store: this.location,
      problem: 'it is missing or cut short',
    });
  }

  async manifestFile(digest: Digest): Promise<Buffer> {
    try {
      return await readManifestFile(this.manifests, digest);
    } catch (error) {
      throw await this.#presentError(error, digest);
    }
  }

  async findBundle(from: Digest, to: Digest): Promise<FileState | 'later' | undefined> {
    return this.files.state(bundlePath(from, to));
  }

  async copyBundle(
    from: Digest,
    to: Digest,
    range: { offset: number; length: number; tag?: string },
    sink: RangeSink,
  ): Promise<boolean> {
    return this.files.copy(bundlePath(from, to), range, sink);
  }

  get traffic(): Traffic {
    return this.files.traffic;
  }

  packFile(pack: string): string | undefined {
    return isHexHash(pack) ? this.files.localPath(packPath(pack)) : undefined;
  }

  async close(): Promise<void> {
    await this.files.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #byDigest(reference: Reference & { kind: 'digest' }, text: string): Promise<StoredVersion> {
    for (const listing of await this.images(reference.image)) {
      for (const number of listing.versions.toReversed()) {
        const known = listing.index.get(number);
        if (known !== undefined && known.digest !== reference.digest) continue;
        const version = await this.#load(listing, number);
        if (version.record.digest === reference.digest) return version;
      }
    }
    throw this.#notFound(text);
  }

  async #load(listing: ImageListing, number: number): Promise<StoredVersion> {
    const version = await this.#tryLoad(listing, number);
    if (version !== undefined) return version;
    throw this.#notFound(`${listing.name}:${number}`, true);
  }

  /** A version that is listed; undefined where its record is no longer there. */
  async #tryLoad(listing: ImageListing, number: number): Promise<StoredVersion | undefined> {
    const tags = [...listing.tags].filter(([, target]) => target.number === number).map(([tag]) => tag);
    return readVersion(this.files, listing.name, number, tags.toSorted(), listing.index.get(number));
  }

  /** Whether there is neither a manifest of this digest nor a version that needs it. */
  async #isGone(digest: Digest): Promise<boolean> {
    if ((await this.files.length(manifestPath(digest))) !== undefined) return false;
    const version = await this.find(digest).catch((error: unknown) => error);
    return version instanceof ImprintError && version.code === 'image-not-found';
  }

  /** `listed`: it was there a moment ago. */
  #notFound(reference: string, listed = false): ImprintError {
    return new ImprintError('image-not-found', { reference, store: this.location, ...(listed && { listed: 1 }) });
  }
}

/** Puts into `found` those that are in the index; gives the others. */
function findIn(
  index: ChunkIndex,
  hashes: readonly string[],
  found: Map<string, ChunkLocation>,
  preferred: ReadonlySet<string>,
): string[] {
  const isPreferred = preferred.size === 0 ? undefined : (pack: string) => preferred.has(pack);
  return hashes.filter((hash) => {
    const place = index.find(Buffer.from(hash, 'hex'), isPreferred);
    if (place !== undefined) found.set(hash, index.location(place));
    return place === undefined;
  });
}

function numberOf(reference: Exclude<Reference, { kind: 'digest' }>, listing: ImageListing): number | undefined {
  if (reference.kind === 'number') return reference.number;
  if (reference.kind === 'tag') return listing.tags.get(reference.tag)?.number;
  return listing.versions.at(-1);
}
