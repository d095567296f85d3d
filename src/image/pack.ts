import { createHash, type Hash, hash } from 'node:crypto';
import { FormatError } from './format-error.ts';

/** Content of a frame, at most. */
export const frameContentLimit = 8 << 20;
/** Window that frames are compressed with, as a power of two: all of a frame. A reader in pieces needs as much memory. */
export const frameWindowLog = 23;
/** Chunks after which a writer begins another frame: who wants one small file shall not decompress ten thousand. */
const frameChunkTarget = 4096;
/** Length of a chunk, at most: files up to this length are one chunk. */
export const chunkLimit = 4 << 20;
/** Length of a table of contents, at most: what a reader is willing to hold. */
export const packTableLimit = 64 << 20;
/** Length at which a writer should finish a pack and begin the next. */
export const packTarget = 32 << 20;

const headMagic = Buffer.from('imprpak1', 'latin1');
const footMagic = Buffer.from('imprtoc1', 'latin1');
/** Length of the footer in bytes: table's offset (8) and length (4), version (4), SHA-256 of the table (32), magic (8). */
export const packFooterLength = 56;
const formatVersion = 1;
const frameRowLength = 12;
const chunkRowLength = 36;

export interface PackBuilderOptions {
  /** Compresses one frame into one zstd frame; the result is used before the next call, so its buffer may be reused. */
  compress(content: Uint8Array): Uint8Array;
  /** Writes at the end of the file; done with `bytes` when it returns. */
  write(bytes: Uint8Array): void;
  /** Memory of `frameContentLimit` bytes for who writes one pack after another; default: its own. */
  frame?: Buffer;
}

export interface FinishedPack {
  /** SHA-256 of the whole file as 64 hexadecimal digits: the name of the pack. */
  id: string;
  /** Length of the file in bytes. */
  bytes: number;
  chunks: number;
  /** Sum of the chunks' lengths. */
  contentBytes: number;
}

/**
 * Writes one pack (docs/image-format.md). Chunks gather in a buffer of 8 MiB until a frame is full; the only copy is the
 * one into that buffer, and `reserve` avoids even that. The caller hashes.
 */
export class PackBuilder {
  readonly #options: PackBuilderOptions;
  readonly #frame: Buffer;
  readonly #fileHash: Hash = createHash('sha256');
  readonly #frames: { length: number; content: number; chunks: number }[] = [];
  readonly #chunkLengths: number[] = [];
  /** 32 bytes for each chunk, and room for more. */
  #hashes = Buffer.allocUnsafeSlow(256 * 32);
  #used = 0;
  #framesChunks = 0;
  #bytes = 0;
  #content = 0;

  constructor(options: PackBuilderOptions) {
    this.#options = options;
    this.#frame = options.frame ?? Buffer.allocUnsafeSlow(frameContentLimit);
    this.#write(headMagic);
  }

  /** Bytes written so far; what waits in the buffer is not counted. */
  get bytes(): number {
    return this.#bytes;
  }

  get chunks(): number {
    return this.#chunkLengths.length;
  }

  /** Whether it is long enough to be finished and followed by the next. */
  get full(): boolean {
    return this.#bytes >= packTarget;
  }

  /** Adds a chunk: its SHA-256 (32 bytes, copied) and its content, 1 byte … `chunkLimit`. */
  append(chunkHash: Uint8Array, content: Uint8Array): void {
    this.reserve(content.length).set(content);
    this.commit(chunkHash, content.length);
  }

  /**
   * Room for a chunk of at most `length` (≤ `chunkLimit`) bytes in the frame's own buffer, to read a file straight into.
   * Valid until the next call; forgotten unless `commit` follows.
   */
  reserve(length: number): Uint8Array {
    if (length > chunkLimit) throw new RangeError(`a chunk of ${length} bytes is too long`);
    if (this.#used + length > frameContentLimit || this.#framesChunks >= frameChunkTarget) this.#flush();
    return this.#frame.subarray(this.#used, this.#used + length);
  }

  /** Takes the first `length` bytes of what `reserve` gave as a chunk. */
  commit(chunkHash: Uint8Array, length: number): void {
    if (length < 1 || length > chunkLimit || this.#used + length > frameContentLimit)
      throw new RangeError('no room was reserved');
    this.#note(chunkHash, length);
    this.#used += length;
  }

  /** Writes what waits, the table of contents and the footer. The caller then makes the file durable and closes it. */
  finish(): FinishedPack {
    this.#flush();
    const table = this.#table();
    const footer = Buffer.alloc(packFooterLength);
    footer.writeBigUInt64LE(BigInt(this.#bytes), 0);
    footer.writeUInt32LE(table.length, 8);
    footer.writeUInt32LE(formatVersion, 12);
    hash('sha256', table, 'buffer').copy(footer, 16);
    footMagic.copy(footer, 48);
    this.#write(table);
    this.#write(footer);
    return {
      id: this.#fileHash.digest('hex'),
      bytes: this.#bytes,
      chunks: this.#chunkLengths.length,
      contentBytes: this.#content,
    };
  }

  #note(chunkHash: Uint8Array, length: number): void {
    if (chunkHash.length !== 32) throw new RangeError('a chunk hash has 32 bytes');
    const at = this.chunks * 32;
    if (at === this.#hashes.length) this.#hashes = Buffer.concat([this.#hashes], at * 2);
    this.#hashes.set(chunkHash, at);
    this.#chunkLengths.push(length);
    this.#framesChunks += 1;
    this.#content += length;
  }

  #flush(): void {
    if (this.#used === 0) return;
    this.#writeFrame(this.#frame.subarray(0, this.#used));
    this.#used = 0;
  }

  #writeFrame(content: Uint8Array): void {
    const compressed = this.#options.compress(content);
    this.#frames.push({ length: compressed.length, content: content.length, chunks: this.#framesChunks });
    this.#framesChunks = 0;
    this.#write(compressed);
  }

  #write(bytes: Uint8Array): void {
    this.#fileHash.update(bytes);
    this.#options.write(bytes);
    this.#bytes += bytes.length;
  }

  #table(): Buffer {
    const table = Buffer.alloc(8 + this.#frames.length * frameRowLength + this.chunks * chunkRowLength);
    let at = table.writeUInt32LE(this.#frames.length, 0);
    at = table.writeUInt32LE(this.chunks, at);
    for (const frame of this.#frames) {
      at = table.writeUInt32LE(frame.length, at);
      at = table.writeUInt32LE(frame.content, at);
      at = table.writeUInt32LE(frame.chunks, at);
    }
    for (const length of this.#chunkLengths) at = table.writeUInt32LE(length, at);
    this.#hashes.copy(table, at, 0, this.chunks * 32);
    return table;
  }
}

/** A pack's table of contents, in columns. Frames lie one after another from byte 8; chunks one after another in theirs. */
export interface PackTable {
  readonly frames: number;
  readonly chunks: number;
  /** Per frame: offset and compressed length in the file, length of its content, index of its first chunk. */
  readonly frameOffset: Float64Array;
  readonly frameLength: Uint32Array;
  readonly frameContentLength: Uint32Array;
  readonly frameFirstChunk: Uint32Array;
  /** Per chunk: its frame, its offset in the frame's content, its length. */
  readonly chunkFrame: Uint32Array;
  readonly chunkOffset: Uint32Array;
  readonly chunkLength: Uint32Array;
  /** 32 bytes per chunk. */
  readonly hashes: Uint8Array;
  /** Where the table begins in the file, and where the file ends. */
  readonly tableOffset: number;
  readonly packLength: number;
}

/** Where the table lies, from a pack's last 56 bytes and its length. Throws a `FormatError`. */
export function parsePackFooter(
  footer: Uint8Array,
  packLength: number,
): { tableOffset: number; tableLength: number; tableHash: Uint8Array } {
  const bytes = asBuffer(footer);
  if (bytes.length !== packFooterLength || packLength < headMagic.length + 8 + packFooterLength)
    throw new FormatError('it is too short');
  if (!bytes.subarray(48).equals(footMagic)) throw new FormatError('its end is not that of a pack');
  const version = bytes.readUInt32LE(12);
  if (version !== formatVersion) throw new FormatError(`its format ${version} is not known here`);
  const tableOffset = Number(bytes.readBigUInt64LE(0));
  const tableLength = bytes.readUInt32LE(8);
  if (tableOffset < headMagic.length || tableOffset + tableLength + packFooterLength !== packLength)
    throw new FormatError('its table of contents lies outside it');
  if (tableLength > packTableLimit) throw new FormatError('its table of contents is too long');
  return { tableOffset, tableLength, tableHash: bytes.subarray(16, 48) };
}

/** The table of contents from its bytes and what `parsePackFooter` said of it. Checks everything; throws a `FormatError`. */
export function parsePackTable(
  table: Uint8Array,
  place: { tableOffset: number; tableLength: number; tableHash: Uint8Array },
): PackTable {
  const bytes = asBuffer(table);
  if (bytes.length !== place.tableLength || bytes.length < 8)
    throw new FormatError('its table of contents is cut short');
  if (!hash('sha256', bytes, 'buffer').equals(place.tableHash))
    throw new FormatError('its table of contents does not match its checksum');
  const frames = bytes.readUInt32LE(0);
  const chunks = bytes.readUInt32LE(4);
  if (bytes.length !== 8 + frames * frameRowLength + chunks * chunkRowLength)
    throw new FormatError('its table of contents has the wrong length');
  const lengthsAt = 8 + frames * frameRowLength;
  const result = {
    frames,
    chunks,
    frameOffset: new Float64Array(frames),
    frameLength: new Uint32Array(frames),
    frameContentLength: new Uint32Array(frames),
    frameFirstChunk: new Uint32Array(frames),
    chunkFrame: new Uint32Array(chunks),
    chunkOffset: new Uint32Array(chunks),
    chunkLength: new Uint32Array(chunks),
    hashes: new Uint8Array(bytes.subarray(lengthsAt + chunks * 4)),
    tableOffset: place.tableOffset,
    packLength: place.tableOffset + place.tableLength + packFooterLength,
  };
  let offset = headMagic.length;
  let chunk = 0;
  for (let frame = 0; frame < frames; frame += 1) {
    const row = 8 + frame * frameRowLength;
    const length = bytes.readUInt32LE(row);
    const content = bytes.readUInt32LE(row + 4);
    const count = bytes.readUInt32LE(row + 8);
    if (length === 0 || count === 0 || count > chunks - chunk || content > frameContentLimit)
      throw new FormatError(`frame ${frame} is described wrongly`);
    result.frameOffset[frame] = offset;
    result.frameLength[frame] = length;
    result.frameContentLength[frame] = content;
    result.frameFirstChunk[frame] = chunk;
    offset += length;
    let inFrame = 0;
    for (const end = chunk + count; chunk < end; chunk += 1) {
      const chunkLength = bytes.readUInt32LE(lengthsAt + chunk * 4);
      if (chunkLength === 0 || chunkLength > chunkLimit)
        throw new FormatError(`chunk ${chunk} has a length that cannot be`);
      result.chunkFrame[chunk] = frame;
      result.chunkOffset[chunk] = inFrame;
      result.chunkLength[chunk] = chunkLength;
      inFrame += chunkLength;
    }
    if (inFrame !== content) throw new FormatError(`the chunks of frame ${frame} do not fill it`);
  }
  if (chunk !== chunks || offset !== place.tableOffset) throw new FormatError('its frames do not fill it');
  return result;
}

/** Throws a `FormatError` unless a pack begins with these bytes (at least 8 of them). */
export function checkPackHead(head: Uint8Array): void {
  if (!asBuffer(head).subarray(0, headMagic.length).equals(headMagic))
    throw new FormatError('its beginning is not that of a pack');
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
