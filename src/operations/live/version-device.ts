import type { Digest } from '../../foundation/brand.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { ContentMap, type PlacedContent } from '../../image/content-map.ts';
import type { ChunkReference } from '../../image/entry.ts';
import { blockSize } from '../../image/ext4/geometry.ts';
import { Ext4Tree } from '../../image/ext4/tree.ts';
import { writeExt4 } from '../../image/ext4/writer.ts';
import { headLength, type UuidChange, uuidChange, wholeBlock } from '../../image/file-system-uuid.ts';
import { FormatError } from '../../image/format-error.ts';
import type { ChunkLocation, Store } from '../../store/store.ts';
import { blocksOf, DiskFile } from '../../system/disk-file.ts';
import { makeExt4InFile } from '../../system/filesystem.ts';
import type { Processes } from '../../system/run.ts';
import { inodesFor, journalFor } from '../disk-image/disk-plan.ts';
import { readBuiltContent } from './built-content.ts';
import type { BuiltVersion } from './built-versions.ts';
import { FrameReader, frameName } from './frame-reader.ts';

/** A file system that is to hold a version, and decides every byte of it together with the version. */
export interface VersionDeviceWish {
  store: Store;
  digest: Digest;
  /** Bytes of the file system. */
  size: number;
  uuid: string;
  label?: string;
  /** Seconds since 1970. */
  time: number;
  /** A sparse file that is not there yet, for all but the content: some megabytes, best in memory. */
  file: string;
  processes: Processes;
  /** Bytes of content that are kept in memory. */
  room: number;
}

/** A file system that was made where the store is. */
export interface BuiltDeviceWish {
  store: Store;
  /** Trusted already. */
  built: BuiltVersion;
  /** Bytes of the device, at least those of the file system, which may grow into the zeros behind it; absent: no more. */
  size?: number;
  /** That it is to be seen with; absent: the one that it was made with, which every machine has then. */
  uuid?: string;
  /** Bytes of content that are kept in memory. */
  room: number;
}

/**
 * A version as the bytes of a file system, of which nothing is written here: the structures of an ext4 are made here, those of another one were
 * made where the store is. Content is fetched when it is asked for, and checked. Reads come in any order, several at once.
 */
export class VersionDevice implements Disposable {
  readonly size: number;
  /** Of the file system, as who reads the device sees it. */
  readonly uuid: string;
  /** What is no content; absent: zeros. */
  readonly #own: DiskFile | undefined;
  readonly #map: ContentMap;
  readonly #places: ReadonlyMap<string, ChunkLocation>;
  readonly #frames: FrameReader;
  readonly #change: UuidChange | undefined;

  private constructor(parts: {
    size: number;
    uuid: string;
    own?: DiskFile;
    map: ContentMap;
    places: ReadonlyMap<string, ChunkLocation>;
    frames: FrameReader;
    change?: UuidChange;
  }) {
    this.size = parts.size;
    this.uuid = parts.uuid;
    this.#change = parts.change;
    this.#own = parts.own;
    this.#map = parts.map;
    this.#places = parts.places;
    this.#frames = parts.frames;
  }

  /**
   * Lays a version out. Errors: `export-unfit`-like `FormatError` where ext4 cannot hold it, a `RangeError` where the size is too small, `chunk-missing`,
   * `tool-missing`, `disk-full`.
   */
  static async make(wish: VersionDeviceWish, task: Task): Promise<VersionDevice> {
    const { store, digest, size, file, uuid, label, time, processes, room } = wish;
    const tree = new Ext4Tree();
    for await (const batch of store.entries(digest)) {
      task.signal.throwIfAborted();
      for (const entry of batch) tree.add(entry);
    }
    const own = DiskFile.create(file);
    try {
      own.resize(size);
      const options = {
        path: file,
        offset: 0,
        size,
        uuid,
        journal: journalFor(size),
        inodes: inodesFor(tree, size),
        time,
      };
      await makeExt4InFile(processes, { ...options, ...(label !== undefined && { label }) }, task.signal);
      const pieces: PlacedContent[] = [];
      writeExt4(tree, blocksOf(own, 0, blockSize), (piece) => pieces.push(piece));
      const map = new ContentMap(pieces);
      const places = await locate(store, digest, pieces);
      return new VersionDevice({ size, uuid, own, map, places, frames: new FrameReader(store, room) });
    } catch (error) {
      own[Symbol.dispose]();
      throw error;
    }
  }

  /** Opens what was made. Errors: `corrupt-record`, `chunk-missing`, and those of `read`. */
  static async open({ store, built, size, uuid, room }: BuiltDeviceWish): Promise<VersionDevice> {
    const { live, image, number } = built.record;
    if (size !== undefined && size < live.size) throw new RangeError(`${size} bytes are fewer than ${live.size}`);
    const pieces = await readBuiltContent(store, built);
    const places = await locate(store, built.record.digest as Digest, pieces);
    const parts = {
      size: size ?? live.size,
      map: new ContentMap(pieces),
      places,
      frames: new FrameReader(store, room),
    };
    const device = new VersionDevice({ ...parts, uuid: live.uuid });
    if (uuid === undefined || uuid === live.uuid) return device;
    try {
      const change = uuidChange(live.fileSystem, await device.read(0, headLength), live.size, uuid);
      return new VersionDevice({ ...parts, uuid, change });
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      throw new ImprintError('corrupt-record', {
        record: `${image}:${number}`,
        store: store.location,
        problem: error.message,
      });
    }
  }

  /** Bytes of the device. Errors: `corrupt-pack`, `store-unreachable`: nothing of the range is given out then. */
  async read(position: number, length: number): Promise<Buffer> {
    if (position < 0 || length < 0 || position + length > this.size)
      throw new RangeError(`there are no ${length} bytes at ${position}`);
    if (this.#change === undefined) return this.#read(position, length);
    const begin = position - (position % wholeBlock);
    const blocks = await this.#read(begin, Math.ceil((position + length - begin) / wholeBlock) * wholeBlock);
    this.#change.apply(begin, blocks);
    return blocks.subarray(position - begin, position - begin + length);
  }

  async #read(position: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(length);
    await Promise.all(
      this.#map.spans(position, length).map(async (span) => {
        const at = span.position - position;
        if (span.kind === 'own') {
          if (this.#own === undefined) return bytes.fill(0, at, at + span.length);
          return this.#own.read(span.position, span.length).copy(bytes, at);
        }
        const name = hex(this.#map.chunk(span.piece));
        const content = await this.#frames.chunk(name, this.#places.get(name) as ChunkLocation);
        return bytes.set(content.subarray(span.skip, span.skip + span.length), at);
      }),
    );
    return bytes;
  }

  /** Runs of at least so many bytes that read as zeros, rising, of whole blocks of 4 KiB: they need not be fetched. */
  zeros(least: number): { start: number; length: number }[] {
    const found: { start: number; length: number }[] = [];
    const add = (from: number, to: number) => {
      const start = Math.ceil(from / blockSize) * blockSize;
      const length = Math.floor(to / blockSize) * blockSize - start;
      if (length >= least) found.push({ start, length });
    };
    for (const { kind, position, length } of this.#map.spans(0, this.size)) {
      if (kind !== 'own' || length < least) continue;
      const end = position + length;
      if (this.#own === undefined) add(position, end);
      for (let at = position; this.#own !== undefined && at < end; ) {
        const hole = this.#own.hole(at, this.size);
        if (hole === undefined || hole.start >= end) break;
        add(Math.max(hole.start, position), Math.min(hole.end, end));
        at = hole.end;
      }
    }
    return found;
  }

  /** Fetches frames (`PACK OFFSET`) in this order, before they are asked for, as far as memory goes. Ends with the signal. Never rejects. */
  async fetchAhead(frames: readonly string[], signal: AbortSignal): Promise<void> {
    const places = new Map([...this.#places.values()].map((place) => [frameName(place), place]));
    const left = frames.flatMap((name) => places.get(name) ?? []);
    const fetch = async () => {
      for (let place = left.shift(); place !== undefined && !signal.aborted; place = left.shift())
        await this.#frames.fetchAhead(place);
    };
    // One waits for the server while the other is busy here.
    await Promise.all([fetch(), fetch()]);
  }

  /** What reads have fetched so far: how many frames, and which in which order. */
  get fetched(): { frames: number; order: readonly string[] } {
    return { frames: this.#frames.fetched, order: [...this.#frames.order] };
  }

  [Symbol.dispose](): void {
    this.#own?.[Symbol.dispose]();
  }
}

async function locate(
  store: Store,
  digest: Digest,
  pieces: readonly PlacedContent[],
): Promise<Map<string, ChunkLocation>> {
  const names = new Set(pieces.map(({ chunk }) => hex(chunk)));
  const places = await store.locate(names, digest);
  for (const { chunk } of pieces) {
    const name = hex(chunk);
    if (places.get(name)?.length !== chunk.length)
      throw new ImprintError('chunk-missing', { chunk: name, digest, store: store.location });
  }
  return places;
}

function hex({ hash }: ChunkReference): string {
  return Buffer.from(hash.buffer, hash.byteOffset, hash.byteLength).toString('hex');
}
