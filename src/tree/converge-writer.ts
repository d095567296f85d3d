import { writeSync } from 'node:fs';
import type { RawPath } from '../foundation/brand.ts';
import { type Entry, typeBits } from '../image/entry.ts';
import { lastErrno } from '../native/binding.ts';
import { close, open, openFlags, truncate, tryOpen } from '../native/files.ts';
import { systemError } from '../native/library.ts';
import { link, makeDirectory, makeNode, removeDirectory, symlink, unlink } from '../native/nodes.ts';
import { chunkPlaces } from './chunk-places.ts';
import { putAttributes } from './entry-attributes.ts';
import { creationMode, explain } from './set-attributes.ts';

const { writeOnly, create, exclusive, noFollow } = openFlags;
const errors = { exists: 17, isDirectory: 21, notEmpty: 39, missing: 2 } as const;

/** The bytes of one chunk, verified. */
export type ChunkSource = (hash: string) => Promise<Uint8Array>;

/** Makes single entries of a tree what they should be, whatever is there. All paths are those of the version. */
export class ConvergeWriter {
  readonly warnings: string[] = [];
  /** Bytes of content written so far. */
  bytes = 0;
  readonly #target: RawPath;
  readonly #base: string;

  constructor(target: RawPath) {
    this.#target = target;
    this.#base = target === '/' ? '' : target;
  }

  /** Where an entry is. */
  place(path: RawPath): RawPath {
    return (path === '' ? this.#target : `${this.#base}/${path}`) as RawPath;
  }

  /** Takes away what is there; a directory must be empty, unless it is `held`. */
  remove(path: RawPath, directory: boolean, held: boolean): void {
    const place = this.place(path);
    try {
      if (directory) removeDirectory(place);
      else unlink(place);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || (held && (code === 'ENOTEMPTY' || code === 'EEXIST'))) return;
      throw explain(error, place);
    }
  }

  /** A directory, closed to others until it gets its attributes. */
  makeDirectory(entry: Entry): void {
    const place = this.place(entry.path);
    this.#anew(place, () => makeDirectory(place, 0o700));
  }

  /** A symlink, device, FIFO, socket. */
  makeOther(entry: Entry): void {
    const place = this.place(entry.path);
    const { type, major, minor } = entry;
    this.#anew(place, () => {
      if (type === 'symlink') symlink(entry.target as RawPath, place);
      else makeNode(place, typeBits[type as keyof typeof typeBits], creationMode(entry.mode), major, minor);
    });
    this.attributes(entry);
  }

  /** A second name of an earlier entry. */
  makeLink(entry: Entry): void {
    const place = this.place(entry.path);
    this.#anew(place, () => link(this.place(entry.target as RawPath), place));
  }

  /** A file with all its content. */
  async makeFile(entry: Entry, content: ChunkSource): Promise<void> {
    const place = this.place(entry.path);
    const mode = creationMode(entry.mode);
    let fd = tryOpen(place, writeOnly | create | exclusive | noFollow, mode);
    if (fd < 0 && lastErrno() === errors.exists) {
      unlink(place);
      fd = open(place, writeOnly | create | exclusive | noFollow, mode);
    }
    if (fd < 0) throw systemError('open', lastErrno(), place);
    try {
      if (entry.segments !== undefined) truncate(fd, entry.size ?? 0);
      await this.#chunks(fd, entry, undefined, content);
      this.warnings.push(...putAttributes(entry, place, fd));
    } catch (error) {
      throw explain(error, place);
    } finally {
      close(fd);
    }
  }

  /** Writes some chunks of a file over what it holds there. */
  async patchFile(entry: Entry, chunks: readonly number[], content: ChunkSource): Promise<void> {
    const place = this.place(entry.path);
    try {
      const fd = open(place, writeOnly | noFollow);
      try {
        await this.#chunks(fd, entry, new Set(chunks), content);
        truncate(fd, entry.size ?? 0);
      } finally {
        close(fd);
      }
    } catch (error) {
      throw explain(error, place);
    }
    this.attributes(entry);
  }

  attributes(entry: Entry): void {
    this.warnings.push(...putAttributes(entry, this.place(entry.path)));
  }

  async #chunks(
    fd: number,
    entry: Entry,
    wanted: ReadonlySet<number> | undefined,
    content: ChunkSource,
  ): Promise<void> {
    for (const { index, chunk, ranges } of chunkPlaces(entry)) {
      if (wanted !== undefined && !wanted.has(index)) continue;
      const bytes = await content(hexOf(chunk.hash));
      let done = 0;
      for (const { offset, length } of ranges) {
        for (let put = 0; put < length; ) put += writeSync(fd, bytes, done + put, length - put, offset + put);
        done += length;
      }
      this.bytes += done;
    }
  }

  /** Does what makes something at a place, after what is there went away. */
  #anew(place: RawPath, make: () => void): void {
    try {
      try {
        make();
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        unlink(place);
        make();
      }
    } catch (error) {
      throw explain(error, place);
    }
  }
}

/** A chunk's hash as stores name it. */
export function hexOf(hash: Uint8Array): string {
  return Buffer.from(hash.buffer, hash.byteOffset, hash.byteLength).toString('hex');
}
