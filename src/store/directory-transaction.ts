import { randomUUID } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type VersionRecord, versionRecordSchema } from '../contract/image.ts';
import { type Digest, digestHex } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import { canonicalJson } from '../image/canonical-json.ts';
import type { ChunkReference, Entry } from '../image/entry.ts';
import { ManifestEncoder } from '../image/manifest-encoder.ts';
import { ManifestFileWriter } from '../image/manifest-file.ts';
import { createCompressor } from '../native/zstd.ts';
import { ChunkUses, formatUses } from './chunk-uses.ts';
import type { DirectoryStore } from './directory-store.ts';
import { removeDurably, renameDurably, writeFileDurably, writeFilesDurably, writing } from './durable.ts';
import { formatHints } from './hints.ts';
import { indexWith, makeIndex } from './index-maker.ts';
import { hasWholeManifest, packsOfKeptManifest } from './kept-manifest.ts';
import { LateChunks } from './late-chunks.ts';
import {
  damagedMarkPath,
  hintsPath,
  indexFile,
  isHexHash,
  manifestPath,
  packListPath,
  packPath,
  recordPath,
  retiredMarkPath,
  signaturePath,
  usesPath,
} from './layout.ts';
import { type Condemned, retirePacks } from './pack-deletion.ts';
import { formatPackList, type PackListLine } from './pack-list.ts';
import { PackTables } from './pack-tables.ts';
import type { StoredVersion } from './store.ts';
import { fileHash, formatStoreIndex } from './store-index.ts';
import { readUses } from './store-survey.ts';
import type { StoreTransaction, VersionDraft, WrittenManifest } from './transaction.ts';
import { signVersion } from './trust.ts';

/** zstd level of manifests: the one of packs. */
const manifestLevel = 3;

/** A change to a store in a directory. */
export class DirectoryTransaction implements StoreTransaction {
  readonly directory: string;
  readonly added = { packs: 0, chunks: 0, bytes: 0 };
  readonly #store: DirectoryStore;
  readonly #lock: AsyncDisposable;
  readonly #task: Task;
  /** Only packs that are whole as far as is known: what the new version may be built from. */
  readonly #tables: PackTables;
  #retired: ReadonlySet<string> = new Set();
  #open = true;
  #loaded: Promise<void> | undefined;
  #ready = false;
  #committing: Promise<StoredVersion> | undefined;

  private constructor(store: DirectoryStore, lock: AsyncDisposable, task: Task, directory: string) {
    this.#store = store;
    this.#lock = lock;
    this.#task = task;
    this.#tables = new PackTables(store.files);
    this.directory = directory;
  }

  /** Begins under a lock that the transaction then owns. What dead transactions left in `tmp` goes. */
  static async begin(store: DirectoryStore, lock: AsyncDisposable, task: Task): Promise<DirectoryTransaction> {
    return new DirectoryTransaction(store, lock, task, await store.emptyTemporary());
  }

  async knownChunks(): Promise<Uint8Array> {
    await this.#load();
    return this.#tables.index.allHashes();
  }

  holds(hash: Uint8Array): Promise<boolean> | boolean {
    const find = () => this.#tables.index.find(hash) !== undefined;
    return this.#ready ? find() : this.#load().then(find);
  }

  async addPack(temporaryPath: string, id: string): Promise<void> {
    this.#check();
    if (!isHexHash(id)) throw new RangeError('a pack is named by 64 hexadecimal digits');
    await this.#load();
    await renameDurably(temporaryPath, this.#store.path(packPath(id)));
    await rm(this.#store.path(damagedMarkPath(id)), { force: true });
    await this.#tables.load([id]);
    const table = this.#tables.index.table(id);
    if (table === undefined) throw this.#tables.failures.get(id) ?? new RangeError(`the pack ${id} cannot be read`);
    this.added.packs += 1;
    this.added.chunks += table.chunks;
    this.added.bytes += table.packLength;
  }

  async writeManifest(entries: AsyncIterable<Entry[]> | Iterable<Entry[]>): Promise<WrittenManifest> {
    this.#check();
    await this.#load();
    const path = join(this.directory, `${randomUUID()}.manifest`);
    const used: Uint8Array[] = [];
    // Chunks whose packs are still being written by threads: they must be there when the entries end.
    const late = new LateChunks();
    let count = 0;
    const compressor = createCompressor(manifestLevel);
    const writer = new ManifestFileWriter((content) => compressor.compress(content));
    const encoder = new ManifestEncoder();
    const finished = await writing(path, async () => {
      await using file = await open(path, 'wx', 0o644);
      for await (const batch of entries) {
        this.#check();
        count += batch.length;
        for (const { chunks } of batch)
          for (const chunk of chunks ?? []) if (!this.#notePack(chunk, used)) late.add(chunk);
        late.look((chunk) => this.#notePack(chunk, used));
        await writeAll(file, writer.add(encoder.encode(batch)));
      }
      encoder.end();
      const missing = late.firstMissing((chunk) => this.#notePack(chunk, used));
      if (missing !== undefined) throw this.#missing(missing);
      const end = writer.finish();
      await writeAll(file, end.out);
      await file.sync();
      return end;
    });
    compressor.free();
    const uses = new ChunkUses();
    const lines = [...used.entries()].flatMap(([number, bits]) => {
      if (bits === undefined) return [];
      const { id, table } = this.#tables.index.pack(number);
      uses.packs.set(id, { chunks: table.chunks, bits });
      return [{ pack: id, tableOffset: table.tableOffset, packLength: table.packLength }];
    });
    // What a collection was about to delete is needed again: no pack of a version carries that mark.
    await this.#unretire([...this.#retired].filter((pack) => uses.packs.has(pack)));
    lines.push(...(await this.#addUsesBefore(finished.digest, uses)));
    // One that is whole stays the file it is, for readers lease the file.
    const there = await hasWholeManifest(this.#store, finished.digest);
    await writeFilesDurably(
      [
        { path: this.#store.path(usesPath(finished.digest)), content: formatUses(finished.digest, uses) },
        { path: this.#store.path(packListPath(finished.digest)), content: formatPackList(lines) },
        ...(there ? [] : [{ path: this.#store.path(manifestPath(finished.digest)), aside: path }]),
      ],
      this.directory,
    );
    return { digest: finished.digest, bytes: finished.bytes, entries: count };
  }

  async keepManifest(digest: Digest): Promise<boolean> {
    this.#check();
    const packs = await packsOfKeptManifest(this.#store, digest);
    if (packs === undefined) return false;
    await this.#unretire((await this.#store.retiredPacks()).intersection(packs));
    return true;
  }

  async writeHints(digest: Digest, content: Uint8Array | readonly Uint8Array[]): Promise<void> {
    this.#check();
    const parts = content instanceof Uint8Array ? [content] : content;
    await writeFileDurably(this.#store.path(hintsPath(digest)), formatHints(parts), this.directory);
  }

  commit(draft: VersionDraft): Promise<StoredVersion> {
    const committing = this.#commit(draft);
    this.#committing = committing;
    return committing;
  }

  async #commit(draft: VersionDraft): Promise<StoredVersion> {
    this.#check();
    if ((await this.#store.files.length(manifestPath(draft.digest))) === undefined)
      throw new ImprintError('internal', {
        problem: `a version was committed without its manifest ${digestHex(draft.digest)}`,
      });
    const record = await this.#record(draft);
    const recordText = canonicalJson(record);
    const { image, number } = record;
    const signature = this.#store.signer && signVersion(this.#store.signer, record, recordText);
    const signatureFile = this.#store.path(signaturePath(image, number));
    // What a cut left of another version that never appeared would be taken for this one's.
    if (signature === undefined) await removeDurably(signatureFile);
    const line = {
      number,
      digest: record.digest,
      record: fileHash(Buffer.from(recordText)),
      ...(signature === undefined ? {} : { signature: fileHash(Buffer.from(signature)) }),
    };
    const tags = draft.tags ?? [];
    const images = indexWith(await makeIndex(this.#store, () => {}), image, {
      version: line,
      tags: Object.fromEntries(tags.map((tag) => [tag, number])),
    });
    // All at once: when the disk fills up, or the power goes, there is the whole version or nothing of it.
    await writeFilesDurably(
      [
        ...(signature === undefined ? [] : [{ path: signatureFile, content: signature }]),
        { path: this.#store.path(recordPath(image, number)), content: recordText },
        ...tags.map((tag) => this.#store.tagFile(record, tag)),
        { path: this.#store.path(indexFile), content: formatStoreIndex(images) },
      ],
      this.directory,
    );
    await this.#end();
    return this.#store.find(`${image}:${number}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // `return transaction.commit(…)` without await leaves the scope before the commit is done.
    await this.#committing?.catch(() => {});
    await this.#end();
  }

  async #end(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    try {
      await rm(this.directory, { recursive: true, force: true });
    } finally {
      await this.#lock[Symbol.asyncDispose]();
    }
  }

  async #record(draft: VersionDraft): Promise<VersionRecord> {
    const { tags: _, created, ...rest } = draft;
    const { versions, removed } = await this.#store.numbers(draft.image);
    const [listing] = await this.#store.images(draft.image, () => {});
    const lost = listing?.lost?.versions.map((version) => version.number) ?? [];
    const number = Math.max(0, ...versions, ...removed, ...lost) + 1;
    const floor = draft.floor ?? (await this.#floorBefore(draft.image, versions.at(-1)));
    if (floor !== undefined && floor > number)
      throw new ImprintError('input-invalid', {
        field: 'floor',
        problem: `it is ${floor}, but this is version ${number}, which cannot withdraw itself`,
      });
    const record = { ...rest, floor, format: 1, number, created: created ?? new Date().toISOString() };
    // Through JSON, so that what is undefined is absent, as it will be for every reader.
    const parsed = versionRecordSchema.safeParse(JSON.parse(JSON.stringify(record)));
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    throw new ImprintError('input-invalid', {
      field: issue?.path.join('.') ?? 'version',
      problem: issue?.message ?? 'it is not a version',
    });
  }

  /** A floor never sinks by itself: a new record takes over that of the one before. */
  async #floorBefore(image: string, number: number | undefined): Promise<number | undefined> {
    if (number === undefined) return undefined;
    const before = await this.#store.find(`${image}:${number}`).catch(() => undefined);
    return before?.record.floor;
  }

  /** Notes where a chunk lies: for each pack, by its number in the index, one bit for each chunk. False where it lies nowhere. */
  #notePack({ hash, length }: ChunkReference, used: Uint8Array[]): boolean {
    const place = this.#tables.index.find(hash);
    if (place === undefined) return false;
    const { pack, chunk } = place;
    const { table } = this.#tables.index.pack(pack);
    if (table.chunkLength[chunk] !== length) return false;
    used[pack] ??= new Uint8Array((table.chunks + 7) >> 3);
    const bits = used[pack];
    bits[chunk >> 3] = (bits[chunk >> 3] ?? 0) | (1 << (chunk & 7));
    return true;
  }

  #missing({ hash }: ChunkReference): ImprintError {
    return new ImprintError('chunk-missing', {
      chunk: Buffer.from(hash).toString('hex'),
      digest: 'the new version',
      store: this.#store.location,
    });
  }

  /**
   * Where the manifest was there before: adds the packs that it used then, for its readers may be reading them. Those that are not whole get
   * a mark instead that names it.
   */
  async #addUsesBefore(digest: Digest, uses: ChunkUses): Promise<PackListLine[]> {
    const lines: PackListLine[] = [];
    const dropped: Condemned[] = [];
    for (const [pack, use] of (await readUses(this.#store, digest))?.packs ?? []) {
      if (uses.packs.has(pack)) continue;
      const table = this.#tables.index.table(pack);
      if (table === undefined) dropped.push({ pack, users: [digest] });
      else {
        uses.packs.set(pack, use);
        lines.push({ pack, tableOffset: table.tableOffset, packLength: table.packLength });
      }
    }
    await retirePacks(this.#store, dropped, this.directory);
    return lines;
  }

  async #unretire(packs: Iterable<string>): Promise<void> {
    for (const pack of packs) await removeDurably(this.#store.path(retiredMarkPath(pack)));
  }

  /** Reads the tables of all packs once; the damaged ones are as if they were not there. */
  #load(): Promise<void> {
    this.#loaded ??= (async () => {
      const damaged = await this.#store.damagedPacks();
      const packs = (await this.#store.packs()).filter((pack) => !damaged.has(pack));
      this.#retired = await this.#store.retiredPacks();
      // Those about to go last, so that a chunk counts where it will stay.
      await this.#tables.load(packs.filter((pack) => !this.#retired.has(pack)));
      await this.#tables.load(packs.filter((pack) => this.#retired.has(pack)));
      for (const failure of this.#tables.failures.values()) this.#task.warn(failure.message);
      for (const pack of damaged) this.#task.warn(`The pack ${pack} is damaged; its content is stored again.`);
      this.#ready = true;
    })();
    return this.#loaded;
  }

  #check(): void {
    this.#task.signal.throwIfAborted();
    if (!this.#open) throw new ImprintError('internal', { problem: 'a transaction was used after its end' });
  }
}

async function writeAll(file: FileHandle, parts: readonly Buffer[]): Promise<void> {
  for (const part of parts) await file.writeFile(part);
}
