import { stat } from 'node:fs/promises';
import { type Digest, digestFromHex } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import { FormatError } from '../image/format-error.ts';
import type { ChunkIndex } from './chunk-index.ts';
import { ChunkUses, parseUses } from './chunk-uses.ts';
import { ifThere } from './directory-files.ts';
import type { DirectoryStore } from './directory-store.ts';
import { makeIndex } from './index-maker.ts';
import { manifestPath, packPath, usesPath } from './layout.ts';
import { holdManifest } from './lease.ts';
import { readManifest } from './manifest-reader.ts';
import { PackTables } from './pack-tables.ts';
import { type RetiredMark, readRetiredMark } from './retired-mark.ts';

/** A pack file and its marks. */
export interface PackState {
  /** Length of the file. */
  bytes: number;
  damaged: boolean;
  retired?: RetiredMark;
  /** It has a mark that cannot be read: who used it is not known. */
  markBroken?: boolean;
}

/** What a version or a reader needs. */
export interface Root {
  uses: ChunkUses;
  /** What its use file said, where that could no longer be believed: `uses` was made anew from the manifest. */
  before?: ChunkUses;
  /** Whether there was a use file that could be believed. */
  recorded: boolean;
}

/** What is in a store, and which of it is needed. */
export interface StoreSurvey {
  /** All that is needed: the manifests of versions, and those that readers lease. */
  roots: Map<Digest, Root>;
  /** Those of `roots` that no version names. */
  leased: Set<Digest>;
  /** Manifests of nobody. */
  orphans: Digest[];
  needed: ChunkUses;
  packs: Map<string, PackState>;
}

/**
 * Looks through a store. Throws `corrupt-record` or `corrupt-manifest` where it cannot be told what is needed. Without the
 * store's lock the answer may be outdated when it comes.
 */
export async function surveyStore(store: DirectoryStore, task: Task): Promise<StoreSurvey> {
  const named = await digestsOfVersions(store);
  const leased = new Set<Digest>();
  const orphans: Digest[] = [];
  for (const digest of await manifestsOf(store)) {
    if (named.has(digest)) continue;
    const hold = await holdManifest(store.path(manifestPath(digest)));
    if (hold === 'leased') leased.add(digest);
    else if (hold !== undefined) {
      hold[Symbol.dispose]();
      orphans.push(digest);
    }
  }
  const packs = await packStates(store);
  const reader = new UsesReader(store, packs);
  const roots = new Map<Digest, Root>();
  const needed = new ChunkUses();
  for (const digest of [...named, ...leased]) {
    task.signal.throwIfAborted();
    const root = await reader.read(digest);
    roots.set(digest, root);
    needed.addAll(root.uses);
  }
  return { roots, leased, orphans, needed, packs };
}

/** The digests of all versions. A record that is lost, or cannot be read, counts with what the index says of it. */
async function digestsOfVersions(store: DirectoryStore): Promise<Set<Digest>> {
  const digests = new Set<Digest>();
  const images = await makeIndex(store, () => {});
  for (const { name, versions } of images) {
    const known = new Set(versions.map(({ number }) => number));
    for (const { digest } of versions) digests.add(digest as Digest);
    for (const number of (await store.numbers(name)).versions) {
      // Says what is wrong with it.
      if (!known.has(number)) await store.find(`${name}:${number}`);
    }
  }
  return digests;
}

/** Digests of the manifests in a directory store. */
export async function manifestsOf(store: DirectoryStore): Promise<Digest[]> {
  const names = await store.directoryFiles.names('manifests');
  return names.flatMap((name) => {
    const hex = /^([0-9a-f]{64})\.manifest$/.exec(name)?.[1];
    return hex === undefined ? [] : [digestFromHex(hex)];
  });
}

async function packStates(store: DirectoryStore): Promise<Map<string, PackState>> {
  const [damaged, retired] = [await store.damagedPacks(), await store.retiredPacks()];
  const states = new Map<string, PackState>();
  for (const pack of await store.packs()) {
    const status = await ifThere(stat(store.path(packPath(pack))));
    if (status === undefined) continue;
    const mark = retired.has(pack) ? await readRetiredMark(store, pack) : undefined;
    states.set(pack, {
      bytes: status.size,
      damaged: damaged.has(pack),
      ...(mark && { retired: mark }),
      ...(retired.has(pack) && mark === undefined && { markBroken: true }),
    });
  }
  return states;
}

/** Reads use files; makes one anew, from its manifest and the tables of all packs, where it cannot be believed. */
export class UsesReader {
  readonly #store: DirectoryStore;
  readonly #packs: ReadonlyMap<string, PackState>;
  #index: Promise<ChunkIndex> | undefined;

  constructor(store: DirectoryStore, packs: ReadonlyMap<string, PackState>) {
    this.#store = store;
    this.#packs = packs;
  }

  async read(digest: Digest): Promise<Root> {
    const recorded = await readUses(this.#store, digest);
    if (recorded !== undefined && [...recorded.packs.keys()].every((pack) => this.#packs.get(pack)?.damaged === false))
      return { uses: recorded, recorded: true };
    this.#index ??= this.#loadTables();
    const uses = await usesOfManifest(this.#store, digest, await this.#index);
    return { uses, recorded: false, ...(recorded && { before: recorded }) };
  }

  /** The sound packs first, then those about to go, then the damaged: a chunk counts where it is found first. */
  async #loadTables(): Promise<ChunkIndex> {
    const tables = new PackTables(this.#store.files);
    const rank = ({ damaged, retired }: PackState) => (damaged ? 2 : retired !== undefined ? 1 : 0);
    const names = [...this.#packs].toSorted(([, left], [, right]) => rank(left) - rank(right)).map(([name]) => name);
    await tables.load(names);
    return tables.index;
  }
}

/** A version's use file; undefined where it is missing or damaged. */
export async function readUses(store: DirectoryStore, digest: Digest): Promise<ChunkUses | undefined> {
  try {
    const bytes = await store.files.read(usesPath(digest), 1 << 30);
    return bytes === undefined ? undefined : parseUses(digest, bytes);
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

/** What a manifest needs of the packs in an index; what lies in none of them is left out. */
export async function usesOfManifest(store: DirectoryStore, digest: Digest, index: ChunkIndex): Promise<ChunkUses> {
  const uses = new ChunkUses();
  for await (const batch of readManifest(store.files, digest)) {
    for (const { chunks } of batch) {
      for (const { hash } of chunks ?? []) {
        const place = index.find(hash);
        if (place === undefined) continue;
        const { id, table } = index.pack(place.pack);
        uses.note(id, table.chunks, place.chunk);
      }
    }
  }
  return uses;
}

/** The error of a store of which it cannot be told what is needed; anything else is thrown on. */
export function untold(error: unknown): ImprintError {
  if (error instanceof ImprintError && (error.code === 'corrupt-record' || error.code === 'corrupt-manifest'))
    return error;
  throw error;
}
