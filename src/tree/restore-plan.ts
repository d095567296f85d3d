import type { Digest, RawPath } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import type { ChunkReference, DataSegment, Entry, ExtendedAttribute } from '../image/entry.ts';
import type { ChunkLocation, ContentSource } from '../store/store.ts';
import { ByteRows, Column, Paths } from './columns.ts';

/** All that is to be written, read from the manifest before the first write. Files with content are in columns. */
export class RestorePlan {
  readonly directories: Entry[] = [];
  /** Symlinks, devices, FIFOs, sockets, and files without any data. */
  readonly others: Entry[] = [];
  readonly hardlinks: { path: RawPath; target: RawPath }[] = [];
  readonly files = {
    paths: new Paths(),
    mode: Column.u32(),
    uid: Column.u32(),
    gid: Column.u32(),
    seconds: Column.f64(),
    nanoseconds: Column.u32(),
    /** −1 where there are no holes: the pieces make the length. */
    sparseSize: Column.f64(),
  };
  readonly xattrs = new Map<number, readonly ExtendedAttribute[]>();
  readonly packs: string[] = [];
  readonly frames = { pack: Column.u32(), offset: Column.f64(), length: Column.u32(), content: Column.u32() };
  /** A run of bytes of one chunk that goes to one place of one file; `hash` and `start`, `size` are those of the whole chunk. */
  readonly pieces = {
    file: Column.u32(),
    frame: Column.u32(),
    /** In the frame. */
    chunkStart: Column.u32(),
    chunkLength: Column.u32(),
    /** In the chunk. */
    skip: Column.u32(),
    length: Column.u32(),
    position: Column.f64(),
    hash: new ByteRows(32),
  };
  entries = 0;
  /** Bytes to be written. */
  bytes = 0;
  readonly #packNumbers = new Map<string, number>();
  readonly #frameNumbers: Map<number, number>[] = [];
  /** Sets of attributes seen before: most files have one of a few, where they have any. */
  readonly #sets = new Map<string, readonly ExtendedAttribute[]>();

  readonly #digest: Digest;
  readonly #store: string;

  private constructor(digest: Digest, store: string) {
    this.#digest = digest;
    this.#store = store;
  }

  /** Reads a version's manifest and finds all its chunks. Throws what the store throws; `chunk-missing`. */
  static async read(store: ContentSource, digest: Digest, task: Task): Promise<RestorePlan> {
    const plan = new RestorePlan(digest, store.location);
    for await (const entries of store.entries(digest)) {
      task.signal.throwIfAborted();
      const hashes = new Set<string>();
      for (const { chunks } of entries) for (const { hash } of chunks ?? []) hashes.add(hex(hash));
      const places = hashes.size > 0 ? await store.locate(hashes, digest) : new Map<string, ChunkLocation>();
      for (const entry of entries) plan.#add(entry, places);
    }
    return plan;
  }

  #add(entry: Entry, places: ReadonlyMap<string, ChunkLocation>): void {
    this.entries += 1;
    if (entry.type === 'directory') this.directories.push(entry);
    else if (entry.type === 'hardlink') this.hardlinks.push({ path: entry.path, target: entry.target as RawPath });
    else if (entry.type === 'file' && entry.chunks !== undefined && entry.chunks.length > 0) {
      this.#addFile(entry, entry.chunks, places);
    } else this.others.push(entry);
  }

  #addFile(entry: Entry, chunks: readonly ChunkReference[], places: ReadonlyMap<string, ChunkLocation>): void {
    const { files } = this;
    const file = files.paths.length;
    files.paths.push(entry.path);
    files.mode.push(entry.mode);
    files.uid.push(entry.uid);
    files.gid.push(entry.gid);
    files.seconds.push(entry.mtime.seconds);
    files.nanoseconds.push(entry.mtime.nanoseconds);
    files.sparseSize.push(entry.segments === undefined ? -1 : (entry.size ?? 0));
    if (entry.xattrs !== undefined) this.xattrs.set(file, this.#known(entry.xattrs));
    const segments = entry.segments ?? [{ offset: 0, length: entry.size ?? 0 }];
    let segment = 0;
    let within = 0;
    for (const chunk of chunks) {
      const place = places.get(hex(chunk.hash));
      if (place === undefined || place.length !== chunk.length) throw this.#missing(chunk);
      const frame = this.#frame(place);
      // A chunk may reach over a hole: then it is written in several pieces.
      for (let skip = 0; skip < chunk.length; ) {
        const { offset, length } = segments[segment] as DataSegment;
        const part = Math.min(chunk.length - skip, length - within);
        this.#addPiece(file, frame, place, chunk, skip, part, offset + within);
        skip += part;
        within += part;
        if (within === length) {
          segment += 1;
          within = 0;
        }
      }
    }
  }

  #addPiece(
    file: number,
    frame: number,
    place: ChunkLocation,
    chunk: ChunkReference,
    skip: number,
    length: number,
    position: number,
  ): void {
    const { pieces } = this;
    pieces.file.push(file);
    pieces.frame.push(frame);
    pieces.chunkStart.push(place.offset);
    pieces.chunkLength.push(chunk.length);
    pieces.skip.push(skip);
    pieces.length.push(length);
    pieces.position.push(position);
    pieces.hash.push(chunk.hash);
    this.bytes += length;
  }

  #missing({ hash }: ChunkReference): ImprintError {
    return new ImprintError('chunk-missing', { chunk: hex(hash), digest: this.#digest, store: this.#store });
  }

  /** Number of the frame that holds a chunk. */
  #frame(place: ChunkLocation): number {
    let pack = this.#packNumbers.get(place.pack);
    if (pack === undefined) {
      pack = this.packs.length;
      this.packs.push(place.pack);
      this.#packNumbers.set(place.pack, pack);
      this.#frameNumbers.push(new Map());
    }
    const numbers = this.#frameNumbers[pack] as Map<number, number>;
    let frame = numbers.get(place.frameOffset);
    if (frame === undefined) {
      frame = this.frames.pack.length;
      numbers.set(place.frameOffset, frame);
      this.frames.pack.push(pack);
      this.frames.offset.push(place.frameOffset);
      this.frames.length.push(place.frameLength);
      this.frames.content.push(place.frameContentLength);
    }
    return frame;
  }

  #known(xattrs: readonly ExtendedAttribute[]): readonly ExtendedAttribute[] {
    const key = xattrs.map(({ name, value }) => `${name}=${hex(value)}`).join('\n');
    const known = this.#sets.get(key);
    if (known !== undefined) return known;
    // Copied: the bytes may be part of a whole manifest block.
    const kept = xattrs.map(({ name, value }) => ({ name, value: new Uint8Array(value) }));
    this.#sets.set(key, kept);
    return kept;
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
