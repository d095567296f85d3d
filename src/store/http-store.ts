import type { Digest } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import { HeldFiles } from './held-files.ts';
import { HttpFiles, type HttpOptions } from './http-files.ts';
import { indexFile, storeFile, storeFileText } from './layout.ts';
import type { PackListLine } from './pack-list.ts';
import { type ImageListing, ReadingStore } from './reading-store.ts';
import { parseStoreIndex, type StoreIndex } from './store-index.ts';
import { guarded, type TagTarget } from './version-files.ts';
import type { VersionGuard } from './version-guard.ts';

const indexLimit = 256 << 20;

/** A store behind plain HTTP, for reading. `index.json` says what there is; all of it is verified when it is read. */
export class HttpStore extends ReadingStore {
  /** Who plans an update reads each of two manifests several times. */
  readonly #manifests: HeldFiles;

  private constructor(files: HttpFiles, guard: VersionGuard | undefined) {
    super(files, guard);
    this.#manifests = new HeldFiles(files);
  }

  protected override get manifests(): HeldFiles {
    return this.#manifests;
  }

  protected override forgetManifests(): void {
    this.#manifests.forget();
  }

  /** Opens the store at a URL. Throws `store-not-found`, `store-unreachable`, `corrupt-record`. */
  static async open(url: string, options: HttpOptions & { guard?: VersionGuard } = {}): Promise<HttpStore> {
    const store = new HttpStore(new HttpFiles(url, options), options.guard);
    await guarded(store.files, storeFile, async () => {
      const bytes = await store.files.read(storeFile, 1 << 16);
      if (bytes?.toString('latin1') === storeFileText) return;
      throw bytes === undefined || !bytes.includes('imprint-store')
        ? new ImprintError('store-not-found', { store: url })
        : new ImprintError('corrupt-record', {
            record: storeFile,
            store: url,
            problem: 'it is of a format that is not known here',
          });
    });
    return store;
  }

  async images(name?: string): Promise<ImageListing[]> {
    const index = await this.#index();
    return index.images
      .filter((image) => name === undefined || image.name === name)
      .map((image) => {
        const byNumber = new Map(image.versions.map((version) => [version.number, version]));
        const tags = new Map<string, TagTarget>();
        for (const [tag, number] of Object.entries(image.tags)) {
          const digest = byNumber.get(number)?.digest;
          if (digest !== undefined) tags.set(tag, { number, digest: digest as Digest });
        }
        return { name: image.name, versions: [...byNumber.keys()].toSorted((a, b) => a - b), index: byNumber, tags };
      });
  }

  async packs(): Promise<PackListLine[]> {
    const index = await this.#index();
    const digests = new Set(index.images.flatMap((image) => image.versions.map((version) => version.digest as Digest)));
    const lists = await Promise.all([...digests].map((digest) => this.tables.listOf(digest)));
    return [...new Map(lists.flatMap((list) => list ?? []).map((line) => [line.pack, line])).values()];
  }

  async #index(): Promise<StoreIndex> {
    return guarded(this.files, indexFile, async () => {
      const bytes = await this.files.read(indexFile, indexLimit);
      return bytes === undefined ? { format: 1, images: [] } : parseStoreIndex(bytes);
    });
  }
}
