import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { frameWindowLog, PackBuilder } from '../image/pack.ts';
import { type Compressor, createCompressor } from '../native/zstd.ts';
import type { DirectoryStore } from './directory-store.ts';
import { renameDurably, writing } from './durable.ts';
import { packPath } from './layout.ts';

/** What is written here is written once and seldom, so it may cost more than at a capture. */
const level = 9;
/** Of one pack, as in a capture. */
const mostChunks = 60_000;

/** Where a chunk went. */
export interface WrittenChunk {
  /** Number of the pack, in the order of `packs`. */
  pack: number;
  chunk: number;
}

interface OpenPack {
  builder: PackBuilder;
  fd: number;
  path: string;
}

/** Writes chunks that are known to be sound into new packs of a store, for the collector and for repair; under the store's lock. */
export class ChunkWriter {
  /** Names of the packs that are in place, durable. */
  readonly packs: string[] = [];
  /** Length of their files, together. */
  bytes = 0;
  readonly #store: DirectoryStore;
  readonly #directory: string;
  #compressor: Compressor | undefined;
  #open: OpenPack | undefined;

  /** `directory` is a private one on the store's file system. */
  constructor(store: DirectoryStore, directory: string) {
    this.#store = store;
    this.#directory = directory;
  }

  async add(hash: Uint8Array, content: Uint8Array): Promise<WrittenChunk> {
    if (this.#open !== undefined && (this.#open.builder.full || this.#open.builder.chunks >= mostChunks))
      await this.#finish(this.#open);
    this.#open ??= await this.#begin();
    const { builder } = this.#open;
    const chunk = builder.chunks;
    await writing(this.#directory, async () => builder.append(hash, content));
    return { pack: this.packs.length, chunk };
  }

  /** Puts the last pack in its place. */
  async finish(): Promise<void> {
    if (this.#open !== undefined) await this.#finish(this.#open);
    this.#compressor?.free();
    this.#compressor = undefined;
  }

  async #begin(): Promise<OpenPack> {
    const path = join(this.#directory, `new-${this.packs.length}.pack`);
    const fd = await writing(path, async () => openSync(path, 'wx', 0o644));
    this.#compressor ??= createCompressor(level, frameWindowLog);
    const compressor = this.#compressor;
    const write = (bytes: Uint8Array) => {
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at);
    };
    return { builder: new PackBuilder({ compress: (content) => compressor.compress(content), write }), fd, path };
  }

  async #finish({ builder, fd, path }: OpenPack): Promise<void> {
    this.#open = undefined;
    let closed = false;
    try {
      const { id, bytes } = await writing(path, async () => {
        const finished = builder.finish();
        fsyncSync(fd);
        closeSync(fd);
        closed = true;
        return finished;
      });
      await renameDurably(path, this.#store.path(packPath(id)));
      this.packs.push(id);
      this.bytes += bytes;
    } catch (error) {
      if (!closed) closeSync(fd);
      rmSync(path, { force: true });
      throw error;
    }
  }
}
