import type { VersionRecord } from '../contract/image.ts';
import type { Digest } from '../foundation/brand.ts';
import type { Entry } from '../image/entry.ts';
import type { FileState, RangeSink, Traffic } from './store-files.ts';

/** A version record with the exact bytes that were signed. */
export interface StoredVersion {
  record: VersionRecord;
  /** Canonical JSON of the record: what the signature covers. */
  recordText: string;
  /** The signature file's text (minisign's form), undefined where the version is not signed. */
  signature?: string;
  tags: string[];
}

/** What a version is resolved for: to be used as a system now, or only to be looked at, old and withdrawn ones too. */
export type Purpose = 'use' | 'look';

/** A trust document as the store keeps it, unverified: its text and that of its signatures. */
export interface StoredTrust {
  text: string;
  signatures: string;
}

/** Where a chunk lies: the frame that holds it and its place in the frame once that is decompressed. */
export interface ChunkLocation {
  pack: string;
  /** Of the frame in its pack: offset and compressed length in bytes, and length once decompressed. */
  frameOffset: number;
  frameLength: number;
  frameContentLength: number;
  /** Of the chunk in the decompressed frame. */
  offset: number;
  length: number;
}

/**
 * A place where images live, for readers. Everything that comes out was verified: records against their signature file's
 * form, manifests against their digest, chunks by whoever decompresses them (`tree/`).
 *
 * Errors: `store-not-found`, `image-not-found`, `store-unreachable`, `corrupt-record`, `corrupt-manifest`,
 * `corrupt-pack`, `chunk-missing`.
 */
export interface Store {
  /** For people: the directory or URL. */
  readonly location: string;
  /** All versions, images by name, numbers rising. */
  versions(image?: string): Promise<StoredVersion[]>;
  /**
   * The version that a reference names: `web` (newest), `web:3`, `web:v3`, `web:TAG`, `web@sha256:…`, `sha256:…`. Where the store was
   * opened with a guard, that has found it trustworthy for the purpose (absent: `use`).
   */
  resolve(reference: string, purpose?: Purpose): Promise<StoredVersion>;
  /** The same, whoever signed it: for listings, and to change the store. */
  find(reference: string): Promise<StoredVersion>;
  /** Versions of an image above a number, from the newest down; records that cannot be read are left out. */
  newer(image: string, number: number): AsyncIterable<StoredVersion>;
  /** A trust document, counted from 1; undefined where there is none. */
  trustDocument(version: number): Promise<StoredTrust | undefined>;
  /**
   * Keeps a version readable: until it ends, nothing that it needs is deleted from a store on this machine. `entries` and `locate` take a
   * lease by themselves, for an hour after the last call or until `close`; who reads longer than that takes one.
   */
  lease(digest: Digest): Promise<AsyncDisposable>;
  /** The manifest's entries in order. The whole manifest is verified against its digest before the first entry comes. */
  entries(digest: Digest): AsyncIterable<Entry[]>;
  /** The same, each entry as the bytes of its message in the manifest: for who looks at few of them (`decodeEntry`). */
  messages(digest: Digest): AsyncIterable<Buffer[]>;
  /**
   * Where the chunks lie; each hash is 64 hexadecimal digits. With the version that needs them given, only the tables of
   * its packs are read. Throws `chunk-missing` where one lies nowhere.
   */
  locate(hashes: Iterable<string>, digest?: Digest): Promise<Map<string, ChunkLocation>>;
  /** Bytes of a pack from `offset`; `length` bytes exactly. */
  readPack(pack: string, offset: number, length: number): Promise<Uint8Array>;
  /** The same bytes as they come, for who keeps them. Throws `corrupt-pack` where the pack is missing or shorter. */
  copyPack(pack: string, offset: number, length: number, sink: RangeSink): Promise<void>;
  /** A manifest's file as it is stored, all of it verified. Throws `corrupt-manifest`, `image-not-found`. */
  manifestFile(digest: Digest): Promise<Buffer>;
  /**
   * The bundle that leads from one version to another (docs/image-format.md): its file's state; `later` while the server makes it; undefined where it has
   * none. What is in it was not verified by anybody.
   */
  findBundle(from: Digest, to: Digest): Promise<FileState | 'later' | undefined>;
  /** Bytes of that bundle as they come. False where it is another one by now, or gone. */
  copyBundle(
    from: Digest,
    to: Digest,
    range: { offset: number; length: number; tag?: string },
    sink: RangeSink,
  ): Promise<boolean>;
  /** What has come over the wire since the store was opened. */
  readonly traffic: Traffic;
  /** The pack as a local file, for workers that read by themselves; undefined where the store is not on this machine. */
  packFile(pack: string): string | undefined;
  close(): Promise<void>;
}

/** What a restore reads: a store, or one in front of which something nearer is asked. */
export type ContentSource = Pick<Store, 'location' | 'entries' | 'locate' | 'readPack' | 'packFile'>;
