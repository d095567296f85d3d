import type { LiveSource, SourceFacts, VersionStats } from '../contract/image.ts';
import type { Digest } from '../foundation/brand.ts';
import type { Task } from '../foundation/task.ts';
import type { Entry } from '../image/entry.ts';
import type { Store, StoredTrust, StoredVersion } from './store.ts';

/** A version as its maker describes it: the record without what the store itself adds (format, number). */
export interface VersionDraft {
  image: string;
  /** As `writeManifest` gave it. */
  digest: Digest;
  /** Length of the manifest in bytes, uncompressed; as `writeManifest` gave it. */
  manifestBytes: number;
  parent?: Digest;
  /** ISO 8601, UTC; absent: now. */
  created?: string;
  message?: string;
  /** ISO 8601, UTC: from then on the record vouches for nothing. */
  expires?: string;
  /** Versions with a smaller number are withdrawn. Absent: as the version before has it. */
  floor?: number;
  source: SourceFacts;
  stats: VersionStats;
  excluded: string[];
  scrubbed: string[];
  warnings: string[];
  /** Where it is no tree, but a file system made of one. */
  live?: LiveSource;
  /** Tags that shall point at this version, moved there if they exist. */
  tags?: string[];
}

/**
 * A change to a store, from the first pack to the version that appears last. It holds the store's exclusive lock;
 * disposing of it without `commit` leaves nothing visible. Packs that were finished stay, to be used again.
 *
 * Errors of every method: `disk-full`, `read-only`, `io-failed`.
 */
export interface StoreTransaction extends AsyncDisposable {
  /** Absolute path of a private directory for packs being written, on the store's own file system; goes at the end. */
  readonly directory: string;
  /** What `addPack` has taken in so far; `bytes` are those of the pack files. */
  readonly added: { readonly packs: number; readonly chunks: number; readonly bytes: number };
  /**
   * Hashes of all chunks that the store holds, 32 bytes each, joined, in no order (packs that are known to be damaged
   * left out, so that capturing again heals). A chunk that is not here must be written, whatever hints say.
   */
  knownChunks(): Promise<Uint8Array>;
  /** A question to the same: whether the store holds the chunk with this hash (32 bytes). */
  holds(hash: Uint8Array): Promise<boolean> | boolean;
  /** Takes in a finished pack: complete, closed and fsynced by its writer. `id` is what `PackBuilder.finish` gave. */
  addPack(temporaryPath: string, id: string): Promise<void>;
  /**
   * Writes a manifest; entries must come in manifest order, all their chunks be in the store when they end (`chunk-missing`): threads may
   * still be writing packs while they come.
   * Several may be written; one that no version names goes with the next removal.
   */
  writeManifest(entries: AsyncIterable<Entry[]> | Iterable<Entry[]>): Promise<WrittenManifest>;
  /**
   * Whether a manifest that is in the store already may be named by a new version as it is: it and all that it needs are whole, as far as can be
   * told without decompressing content. Where it may not, it must be written again.
   */
  keepManifest(digest: Digest): Promise<boolean>;
  /** Keeps what its maker needs to capture the same source faster next time, whole or in parts. Private, advisory, checked when read. */
  writeHints(digest: Digest, content: Uint8Array | readonly Uint8Array[]): Promise<void>;
  /** Numbers, signs (where the store was opened with a signer) and shows the version. */
  commit(draft: VersionDraft): Promise<StoredVersion>;
}

export interface WrittenManifest {
  digest: Digest;
  /** Length uncompressed. */
  bytes: number;
  entries: number;
}

/** What a removal did. */
export interface RemovalReport {
  removed: StoredVersion[];
  /** Packs that no version refers to any longer and that were deleted; their bytes are free again. */
  packsDeleted: number;
  bytesFreed: number;
  /** Bytes of packs that go later: a reader still needs them, or their grace period is not over. */
  bytesWaiting: number;
  /** Bytes of chunks that no version refers to any longer, but that lie in packs which others still need. */
  bytesUnreferenced: number;
}

/** What a collection did, or would do. Bytes are those of pack files, but where it says otherwise. */
export interface CollectReport {
  manifestsDeleted: number;
  packsDeleted: number;
  bytesFreed: number;
  /** Packs that wait: nobody needs them, but their grace period is not over, or a reader holds a version that used them. */
  packsWaiting: number;
  bytesWaiting: number;
  /** When the last of them will have waited long enough: milliseconds since 1970; absent where none waits for that. */
  waitingUntil?: number;
  /** Packs of which little was needed, whose content moved into new ones; they wait, or went. */
  packsRewritten: number;
  /** Length of the new packs. */
  bytesWritten: number;
  /** Of content that nobody needs, in packs that others still need too much for them to be rewritten. */
  bytesUnreferenced: number;
}

/** A store that can be changed. */
export interface WritableStore extends Store {
  /** Begins a change; `owner` says for people who makes it. Refused (`store-locked`) while another is being made. */
  begin(owner: string, task: Task): Promise<StoreTransaction>;
  /** Lets `tag` point at the version that `reference` names, which must be of the same image. Returns that version. */
  setTag(reference: string, tag: string): Promise<StoredVersion>;
  removeTag(image: string, tag: string): Promise<void>;
  /**
   * Removes the versions that references name (`web:3`), or every version of an image (`web:*`). Their packs go at once, or with a
   * grace period (milliseconds) by a later collection. With `damaged` also those whose record is lost or cannot be read, named by their number.
   */
  remove(
    references: string | readonly string[],
    options?: { grace: number; damaged?: boolean },
  ): Promise<RemovalReport>;
  /** Frees what nobody needs any longer (docs/store.md). `grace`: for how long packs stay for those who read over HTTP, in milliseconds. */
  collect(options: { grace: number; dryRun?: boolean }, task: Task): Promise<CollectReport>;
  /** Signs a version with the signer that the store was opened with (`usage` where there is none), beside who signed it before. */
  sign(reference: string): Promise<StoredVersion>;
  /** Adds signatures that were made elsewhere, as minisign's files have them; whoever adds them has verified them. */
  addSignatures(reference: string, text: string): Promise<StoredVersion>;
  /** Shows the next trust document, with its signatures. */
  publishTrust(version: number, trust: StoredTrust): Promise<void>;
  /** What `writeHints` kept; undefined where there is nothing, or where it is damaged. */
  readHints(digest: Digest): Promise<Uint8Array | undefined>;
}
