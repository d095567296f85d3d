import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { toImprintError } from '../foundation/errors.ts';
import { frameContentLimit, frameWindowLog, PackBuilder } from '../image/pack.ts';
import { type Compressor, createCompressor } from '../native/zstd.ts';

/** Called with each finished pack: its file, and the id that `PackBuilder.finish` gave. */
export type PackSink = (path: string, id: string) => void;

/** zstd levels: of a whole system, where time counts, and of what is added to it, which is kept for as long but is far less. */
const quickLevel = 3;
const thoroughLevel = 9;
/** What zstd remembers at the quick level: twice as much as it would, since the window is longer: 1 to 3 % smaller for 3 % of time. */
const quickHashLog = 18;
/** Of one pack: a table of contents of some two megabytes, whatever the size of the chunks. */
const mostChunks = 60_000;

/**
 * Writes one pack after another into a directory, each closed and durable when it is full. Throws ImprintErrors (`disk-full`
 * …), never system errors, so that they are not taken for those of the file being read.
 */
export class PackFiles {
  readonly #directory: string;
  readonly #prefix: string;
  readonly #onPack: PackSink;
  #compressor: Compressor;
  /** Bytes of content that are still to be compressed thoroughly. */
  #thoroughly: number;
  readonly #frame = Buffer.allocUnsafeSlow(frameContentLimit);
  #count = 0;
  #open: { builder: PackBuilder; fd: number; path: string } | undefined;

  /** `thoroughly`: bytes of content to begin with that may take four times as long, to become some 7 % smaller. */
  constructor(directory: string, prefix: string, thoroughly: number, onPack: PackSink) {
    this.#directory = directory;
    this.#prefix = prefix;
    this.#onPack = onPack;
    this.#thoroughly = thoroughly;
    this.#compressor = thoroughly > 0 ? createCompressor(thoroughLevel, frameWindowLog) : quickCompressor();
  }

  /** The builder to give a chunk to. Ask anew for each chunk: a pack that is full is finished here. */
  builder(): PackBuilder {
    if (this.#open !== undefined && (this.#open.builder.full || this.#open.builder.chunks >= mostChunks)) this.finish();
    this.#open ??= this.#begin();
    return this.#open.builder;
  }

  /** Finishes the pack that is open; without chunks there is none. */
  finish(): void {
    if (this.#open === undefined) return;
    const { builder, fd, path } = this.#open;
    this.#open = undefined;
    try {
      const { id } = builder.finish();
      fsyncSync(fd);
      closeSync(fd);
      this.#onPack(path, id);
    } catch (error) {
      rmSync(path, { force: true });
      throw toImprintError(error);
    }
  }

  #compress(content: Uint8Array): Uint8Array {
    if (this.#thoroughly > 0) {
      this.#thoroughly -= content.length;
      if (this.#thoroughly <= 0) {
        this.#compressor.free();
        this.#compressor = quickCompressor();
      }
    }
    return this.#compressor.compress(content);
  }

  #begin() {
    const path = join(this.#directory, `${this.#prefix}-${this.#count}.pack`);
    this.#count += 1;
    const fd = openSync(path, 'wx', 0o644);
    const write = (bytes: Uint8Array) => writeAll(fd, bytes, path);
    const compress = (content: Uint8Array) => this.#compress(content);
    return { builder: new PackBuilder({ compress, write, frame: this.#frame }), fd, path };
  }
}

function quickCompressor(): Compressor {
  return createCompressor(quickLevel, frameWindowLog, quickHashLog);
}

function writeAll(fd: number, bytes: Uint8Array, path: string): void {
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at);
  } catch (error) {
    throw toImprintError(Object.assign(error as NodeJS.ErrnoException, { path }));
  }
}
