import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { tagSchema, type VersionRecord } from '../contract/image.ts';
import type { Digest } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import type { Entry } from '../image/entry.ts';
import { FormatError } from '../image/format-error.ts';
import { addSignatures, type Signer } from '../image/signature.ts';
import { DirectoryFiles } from './directory-files.ts';
import { DirectoryTransaction } from './directory-transaction.ts';
import { type DurableFile, removeDurably, writeFileDurably, writeFilesDurably, writing } from './durable.ts';
import { collectGarbage, planCollection } from './gc.ts';
import { readHintsFile } from './hints.ts';
import { indexWith, makeIndex } from './index-maker.ts';
import {
  damagedMarkPath,
  indexFile,
  isHexHash,
  lockFile,
  manifestPath,
  packPath,
  signaturePath,
  storeFile,
  storeFileText,
  tagPath,
  temporaryDirectory,
} from './layout.ts';
import { Leases } from './leases.ts';
import { lockStore } from './lock.ts';
import { makeDirectories } from './make-directories.ts';
import { PackTables } from './pack-tables.ts';
import { type ImageListing, ReadingStore } from './reading-store.ts';
import { removeVersions } from './removal.ts';
import type { ChunkLocation, StoredTrust, StoredVersion } from './store.ts';
import { formatStoreIndex, type ImageIndex, parseStoreIndex } from './store-index.ts';
import type { CollectReport, RemovalReport, StoreTransaction, WritableStore } from './transaction.ts';
import { signVersion } from './trust.ts';
import { formatTag, readTag, type TagTarget } from './version-files.ts';
import type { VersionGuard } from './version-guard.ts';
import { writeTrust } from './write-trust.ts';

export interface DirectoryOptions {
  /** Makes the store where there is none; the directory must then be empty or not exist. */
  create?: boolean;
  /** Makes the file that says that this is a store again, where it is lost or damaged. */
  mend?: boolean;
  /** Signs what is committed. */
  signer?: Signer;
  /** Decides which versions `resolve` gives out. */
  guard?: VersionGuard;
}

/** A store in a directory. */
export class DirectoryStore extends ReadingStore implements WritableStore {
  readonly directory: string;
  readonly directoryFiles: DirectoryFiles;
  readonly signer: Signer | undefined;
  readonly #leases: Leases;
  #sound: { damaged: string; tables: PackTables } | undefined;

  private constructor(files: DirectoryFiles, { signer, guard }: DirectoryOptions) {
    super(files, guard);
    this.directoryFiles = files;
    this.directory = files.location;
    this.#leases = new Leases((digest) => this.path(manifestPath(digest)));
    this.signer = signer;
  }

  /** Throws `store-not-found`, `target-not-empty`, `corrupt-record`, `read-only`, `disk-full`. */
  static async open(directory: string, options: DirectoryOptions = {}): Promise<DirectoryStore> {
    const files = new DirectoryFiles(directory);
    const store = new DirectoryStore(files, options);
    const text = (await files.read(storeFile, 1 << 16))?.toString('latin1');
    if (text === storeFileText) return store;
    if (options.mend === true && (await store.#mendStoreFile(text))) return store;
    if (text !== undefined)
      throw new ImprintError('corrupt-record', {
        record: storeFile,
        store: directory,
        problem: 'it is of a format that is not known here',
      });
    if (options.create !== true) throw new ImprintError('store-not-found', { store: directory });
    // What a cut left of a store being made is no obstacle.
    const others = (await files.names('')).filter((name) => name !== 'lost+found' && name !== temporaryDirectory);
    if (others.length > 0) throw new ImprintError('target-not-empty', { path: directory });
    await writing(directory, () => makeDirectories(store.temporary));
    await writeFileDurably(join(directory, storeFile), storeFileText, store.temporary);
    return store;
  }

  /** Writes `imprint-store.json` again where the rest is a store, unless it is one of a later format. */
  async #mendStoreFile(text: string | undefined): Promise<boolean> {
    const names = await this.directoryFiles.names('');
    const laterFormat = /^\{"format":\d+,"kind":"imprint-store"\}\n$/.test(text ?? '');
    if (laterFormat || !['images', 'manifests', 'packs'].every((name) => names.includes(name))) return false;
    await writing(this.directory, () => makeDirectories(this.temporary));
    await writeFileDurably(this.path(storeFile), storeFileText, this.temporary);
    return true;
  }

  /** Directory for files that are being written. */
  get temporary(): string {
    return join(this.directory, temporaryDirectory);
  }

  async images(name?: string, tolerate?: (error: ImprintError) => void): Promise<ImageListing[]> {
    const index = await this.#index();
    const known = new Map(index.map((image) => [image.name, image]));
    const names =
      name === undefined ? new Set([...(await this.directoryFiles.names('images')), ...known.keys()]) : [name];
    const listings: ImageListing[] = [];
    for (const image of [...names].toSorted()) {
      const { versions, removed } = await this.numbers(image);
      const byNumber = new Map(known.get(image)?.versions.map((version) => [version.number, version]));
      const used = new Set([...versions, ...removed]);
      const lost = [...byNumber.values()].filter(({ number }) => !used.has(number));
      if (versions.length === 0 && lost.length === 0) continue;
      const { tags, unreadable } = await this.#tags(image, new Set(removed), tolerate);
      const lostTags = Object.entries(known.get(image)?.tags ?? {}).filter(
        ([tag, number]) => !tags.has(tag) && !unreadable.has(tag) && !removed.includes(number),
      );
      const missing = lost.length > 0 || lostTags.length > 0;
      listings.push({
        name: image,
        versions,
        index: byNumber,
        tags,
        ...(missing && { lost: { versions: lost, tags: new Map(lostTags) } }),
      });
    }
    return listings;
  }

  /** Tags of an image; those of versions that were removed are what a cut left, and count for nothing. */
  async #tags(image: string, removed: ReadonlySet<number>, tolerate: ((error: ImprintError) => void) | undefined) {
    const tags = new Map<string, TagTarget>();
    const unreadable = new Set<string>();
    for (const tag of await this.directoryFiles.names(`images/${image}/tags`)) {
      if (!tagSchema.safeParse(tag).success) continue;
      try {
        const target = await readTag(this.files, image, tag);
        if (target !== undefined && !removed.has(target.number)) tags.set(tag, target);
      } catch (error) {
        if (!(error instanceof ImprintError) || tolerate === undefined) throw error;
        unreadable.add(tag);
        tolerate(error);
      }
    }
    return { tags, unreadable };
  }

  /** Numbers of the versions of an image, rising, and of those that were removed and left their mark. */
  async numbers(image: string): Promise<{ versions: number[]; removed: number[] }> {
    const names = await this.directoryFiles.names(`images/${image}`);
    const numbersOf = (pattern: RegExp) =>
      names
        .flatMap((file) => pattern.exec(file)?.[1] ?? [])
        .map(Number)
        .toSorted((left, right) => left - right);
    return { versions: numbersOf(/^([1-9]\d{0,8})\.json$/), removed: numbersOf(/^([1-9]\d{0,8})\.removed$/) };
  }

  async packs(): Promise<string[]> {
    return this.#packFiles('.pack');
  }

  /** Packs that were found damaged and marked so. */
  async damagedPacks(): Promise<Set<string>> {
    return new Set(await this.#packFiles('.damaged'));
  }

  /** Packs that nobody needed when they were marked so (docs/store.md). */
  async retiredPacks(): Promise<Set<string>> {
    return new Set(await this.#packFiles('.retired'));
  }

  async #packFiles(ending: string): Promise<string[]> {
    const packs: string[] = [];
    for (const directory of await this.directoryFiles.names('packs')) {
      if (!/^[0-9a-f]{2}$/.test(directory)) continue;
      for (const name of await this.directoryFiles.names(`packs/${directory}`)) {
        const pack = name.slice(0, 64);
        if (isHexHash(pack) && name === pack + ending && pack.startsWith(directory)) packs.push(pack);
      }
    }
    return packs;
  }

  override async lease(digest: Digest): Promise<AsyncDisposable> {
    return this.#leases.take(digest);
  }

  override async *entries(digest: Digest): AsyncGenerator<Entry[]> {
    await this.#leases.hold(digest);
    yield* super.entries(digest);
  }

  override async *messages(digest: Digest): AsyncGenerator<Buffer[]> {
    await this.#leases.hold(digest);
    yield* super.messages(digest);
  }

  /** As for every store; where packs are marked as damaged, chunks are looked for in the others first. */
  override async locate(hashes: Iterable<string>, digest?: Digest): Promise<Map<string, ChunkLocation>> {
    if (digest !== undefined) await this.#leases.hold(digest);
    const wanted = [...hashes];
    const found = await this.#locate(wanted, digest);
    const packs = new Set(Array.from(found.values(), ({ pack }) => pack));
    if ([...packs].every((pack) => existsSync(this.path(packPath(pack))))) return found;
    // What was read before a collection names packs that are gone.
    this.tables = new PackTables(this.files);
    this.#sound = undefined;
    return this.#locate(wanted, digest);
  }

  async #locate(hashes: string[], digest: Digest | undefined): Promise<Map<string, ChunkLocation>> {
    const damaged = await this.damagedPacks();
    if (damaged.size === 0) return this.locateIn(this.tables, hashes, digest);
    const key = [...damaged].join();
    if (this.#sound?.damaged !== key) this.#sound = { damaged: key, tables: new PackTables(this.files) };
    const { tables } = this.#sound;
    await tables.load((await this.packs()).filter((pack) => !damaged.has(pack)));
    return this.locateIn(tables, hashes, digest);
  }

  async begin(owner: string, task: Task): Promise<StoreTransaction> {
    task.signal.throwIfAborted();
    const lock = await this.#lock(owner);
    try {
      return await DirectoryTransaction.begin(this, lock, task);
    } catch (error) {
      await lock[Symbol.asyncDispose]();
      throw error;
    }
  }

  async setTag(reference: string, tag: string): Promise<StoredVersion> {
    if (!tagSchema.safeParse(tag).success)
      throw new ImprintError('input-invalid', {
        field: 'tag',
        problem: `“${tag}” must be letters, digits, “.”, “_” or “-”, and neither a version number nor “latest”`,
      });
    await using _lock = await this.#lock(`tag ${reference} as ${tag}`);
    const version = await this.find(reference);
    const { image, number } = version.record;
    const images = indexWith(await makeIndex(this, () => {}), image, { tags: { [tag]: number } });
    await writeFilesDurably(
      [this.tagFile(version.record, tag), { path: this.path(indexFile), content: formatStoreIndex(images) }],
      this.temporary,
    );
    return this.find(`${version.record.image}:${version.record.number}`);
  }

  async removeTag(image: string, tag: string): Promise<void> {
    await using _lock = await this.#lock(`remove tag ${image}:${tag}`);
    const version = await this.find(`${image}:${tag}`);
    if (!version.tags.includes(tag))
      throw new ImprintError('input-invalid', { field: 'tag', problem: `“${tag}” is no tag` });
    // The index first: a tag that the index has and no file is taken for lost.
    const images = await makeIndex(this, () => {});
    for (const known of images) if (known.name === image) delete known.tags[tag];
    await writeFileDurably(this.path(indexFile), formatStoreIndex(images), this.temporary);
    await removeDurably(this.path(tagPath(image, tag)));
  }

  async remove(
    references: string | readonly string[],
    options: { grace: number; damaged?: boolean } = { grace: 0 },
  ): Promise<RemovalReport> {
    const list = typeof references === 'string' ? [references] : references;
    await using _lock = await this.#lock(`remove ${list.join(', ')}`);
    this.#leases.drop();
    // With `await`, for the lock goes when this scope is left.
    return await removeVersions(this, list, options);
  }

  async collect({ grace, dryRun = false }: { grace: number; dryRun?: boolean }, task: Task): Promise<CollectReport> {
    if (dryRun) return planCollection(this, grace, task);
    await using _lock = await this.#lock('collection of garbage');
    this.#leases.drop();
    return await collectGarbage(this, grace, task);
  }

  /**
   * Runs a change under the lock, with a directory of its own for files being written, which goes at the end; what dead writers
   * left in `tmp` goes first.
   */
  async change<Result>(owner: string, work: (temporary: string) => Promise<Result>): Promise<Result> {
    await using _lock = await this.#lock(owner);
    this.#leases.drop();
    const temporary = await this.emptyTemporary();
    try {
      return await work(temporary);
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  }

  /** Under the lock: a new private directory in `tmp`, which is else empty then. */
  async emptyTemporary(): Promise<string> {
    const directory = join(this.temporary, randomUUID());
    await writing(this.temporary, async () => {
      await rm(this.temporary, { recursive: true, force: true });
      await makeDirectories(directory, 0o700);
    });
    return directory;
  }

  override async close(): Promise<void> {
    this.#leases.drop();
    await super.close();
  }

  async sign(reference: string): Promise<StoredVersion> {
    if (this.signer === undefined)
      throw new ImprintError('usage', {
        problem: 'There is no key to sign with.',
        hint: 'Name the server’s data directory with --data.',
      });
    const { record, recordText } = await this.find(reference);
    return this.addSignatures(`${record.image}:${record.number}`, signVersion(this.signer, record, recordText));
  }

  async addSignatures(reference: string, added: string): Promise<StoredVersion> {
    await using _lock = await this.#lock(`sign ${reference}`);
    const { record, signature } = await this.find(reference);
    const text = addSignatures(signature, added);
    await writeFileDurably(this.path(signaturePath(record.image, record.number)), text, this.temporary);
    await this.writeIndex();
    return this.find(`${record.image}:${record.number}`);
  }

  async publishTrust(version: number, trust: StoredTrust): Promise<void> {
    await using _lock = await this.#lock(`publish trust document ${version}`);
    await writeTrust(this, version, trust);
  }

  async readHints(digest: Digest): Promise<Uint8Array | undefined> {
    return readHintsFile(this.files, digest);
  }

  /** The file that lets a tag point at a version. */
  tagFile(record: Pick<VersionRecord, 'image' | 'number' | 'digest'>, tag: string): DurableFile {
    if (!tagSchema.safeParse(tag).success)
      throw new ImprintError('input-invalid', {
        field: 'tag',
        problem: `“${tag}” must be a word that is not a number`,
      });
    const content = formatTag({ number: record.number, digest: record.digest as Digest });
    return { path: this.path(tagPath(record.image, tag)), content };
  }

  /** Under the lock: makes `index.json` anew from the records. What cannot be read is left out; `store check` names it. */
  async writeIndex(): Promise<void> {
    await writeFileDurably(this.path(indexFile), formatStoreIndex(await makeIndex(this, () => {})), this.temporary);
  }

  path(relative: string): string {
    return join(this.directory, relative);
  }

  /** Marks a pack as damaged, or no longer; where the store cannot be written nothing happens. */
  async markPack(pack: string, damaged: boolean): Promise<void> {
    const path = this.path(damagedMarkPath(pack));
    try {
      if (damaged) await writeFileDurably(path, '', this.temporary);
      else await rm(path, { force: true });
    } catch {
      // Only a help for the next capture: the check itself has said what is damaged.
    }
  }

  /** `index.json`, as far as it can be read: for readers of a directory it only adds checksums. */
  async #index(): Promise<ImageIndex[]> {
    try {
      const bytes = await this.files.read(indexFile, 256 << 20);
      return bytes === undefined ? [] : parseStoreIndex(bytes).images;
    } catch (error) {
      if (error instanceof FormatError) return [];
      throw error;
    }
  }

  async #lock(owner: string): Promise<AsyncDisposable> {
    const lock = await lockStore(this.path(lockFile), this.directory, owner);
    try {
      // Under the lock, for another's transaction may just have been about to clear it away.
      await writing(this.temporary, () => makeDirectories(this.temporary));
    } catch (error) {
      await lock[Symbol.asyncDispose]();
      throw error;
    }
    return lock;
  }
}
