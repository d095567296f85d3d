import { createHash } from 'node:crypto';
import { type Digest, digestFromHex } from '../foundation/brand.ts';
import { FormatError } from './format-error.ts';

/** Content of one block of a manifest file, at most. */
export const manifestBlockLimit = 1 << 20;

const headMagic = Buffer.from('imprman1', 'latin1');
const footMagic = Buffer.from('imprend1', 'latin1');
const trailerLength = 8 + 8 + 32 + 32 + 8;

/** Writes the stored form of a manifest: blocks of 1 MiB compressed one by one, and a trailer with two checksums. */
export class ManifestFileWriter {
  readonly #compress: (content: Uint8Array) => Uint8Array;
  readonly #content = createHash('sha256');
  readonly #stored = createHash('sha256');
  #waiting: Buffer[] = [];
  #waitingLength = 0;
  #contentLength = 0;
  #begun = false;

  constructor(compress: (content: Uint8Array) => Uint8Array) {
    this.#compress = compress;
  }

  /** Takes manifest bytes; gives what can be written to the file now. */
  add(bytes: Buffer): Buffer[] {
    this.#content.update(bytes);
    this.#contentLength += bytes.length;
    this.#waiting.push(bytes);
    this.#waitingLength += bytes.length;
    if (this.#waitingLength < manifestBlockLimit) return [];
    const all = Buffer.concat(this.#waiting);
    const out: Buffer[] = [];
    let from = 0;
    for (; all.length - from >= manifestBlockLimit; from += manifestBlockLimit)
      out.push(...this.#block(all.subarray(from, from + manifestBlockLimit)));
    this.#waiting = [all.subarray(from)];
    this.#waitingLength = all.length - from;
    return out;
  }

  /** The end of the file, with the digest and length of the content. */
  finish(): { out: Buffer[]; digest: Digest; bytes: number } {
    const out = this.#waitingLength > 0 ? this.#block(Buffer.concat(this.#waiting)) : this.#head();
    const digest = this.#content.digest();
    const trailer = Buffer.alloc(trailerLength);
    trailer.writeBigUInt64LE(BigInt(this.#contentLength), 8);
    digest.copy(trailer, 16);
    this.#stored.update(trailer.subarray(0, 48));
    this.#stored.digest().copy(trailer, 48);
    footMagic.copy(trailer, 80);
    out.push(trailer);
    return { out, digest: digestFromHex(digest.toString('hex')), bytes: this.#contentLength };
  }

  #head(): Buffer[] {
    if (this.#begun) return [];
    this.#begun = true;
    this.#stored.update(headMagic);
    return [headMagic];
  }

  #block(content: Buffer): Buffer[] {
    const out = this.#head();
    const compressed = Buffer.from(this.#compress(content));
    const head = Buffer.alloc(8);
    head.writeUInt32LE(compressed.length, 0);
    head.writeUInt32LE(content.length, 4);
    this.#stored.update(head).update(compressed);
    out.push(head, compressed);
    return out;
  }
}

/** A block as it is stored. */
export interface ManifestBlock {
  compressed: Buffer;
  /** Length once it is decompressed. */
  contentLength: number;
}

export interface ManifestFile {
  blocks: ManifestBlock[];
  digest: Digest;
  /** Length of the manifest uncompressed. */
  contentLength: number;
}

/**
 * A whole manifest file taken apart. Every stored byte is checked against the trailer; whoever decompresses the blocks
 * checks their content against `digest`. Throws a `FormatError`.
 */
export function parseManifestFile(file: Buffer): ManifestFile {
  const trailerAt = file.length - trailerLength;
  if (trailerAt < headMagic.length || !file.subarray(0, 8).equals(headMagic))
    throw new FormatError('its beginning is not that of a manifest');
  if (!file.subarray(trailerAt + 80).equals(footMagic)) throw new FormatError('its end is not that of a manifest');
  const stored = createHash('sha256')
    .update(file.subarray(0, trailerAt + 48))
    .digest();
  if (!stored.equals(file.subarray(trailerAt + 48, trailerAt + 80)))
    throw new FormatError('it does not match its checksum');
  const blocks: ManifestBlock[] = [];
  let sum = 0;
  let at = headMagic.length;
  while (at < trailerAt) {
    const length = at + 8 <= trailerAt ? file.readUInt32LE(at) : 0;
    const contentLength = length > 0 ? file.readUInt32LE(at + 4) : 0;
    if (length > trailerAt - at - 8 || contentLength === 0 || contentLength > manifestBlockLimit)
      throw new FormatError('a block is described wrongly');
    blocks.push({ compressed: file.subarray(at + 8, at + 8 + length), contentLength });
    sum += contentLength;
    at += 8 + length;
  }
  const contentLength = Number(file.readBigUInt64LE(trailerAt + 8));
  if (file.readBigUInt64LE(trailerAt) !== 0n || sum !== contentLength)
    throw new FormatError('its blocks do not make up its content');
  return { blocks, digest: digestFromHex(file.toString('hex', trailerAt + 16, trailerAt + 48)), contentLength };
}
