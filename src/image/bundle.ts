import { type Digest, digestFromHex, digestHex } from '../foundation/brand.ts';
import type { BaseRange } from './bundle-plan.ts';
import { FormatError } from './format-error.ts';
import { WireReader, WireWriter, wireTypes } from './wire.ts';

/** Content of a frame, at most. */
export const bundleFrameLimit = 16 << 20;
/** What a frame's prefix has, at most: a reader holds it in memory. */
export const bundlePrefixLimit = 136 << 20;
/** Length of the table, compressed and not, that a reader is willing to hold. */
export const bundleTableLimit = 64 << 20;

export const bundleHead = Buffer.from('imprbun1', 'latin1');
const footMagic = Buffer.from('imprbue1', 'latin1');
/** Offset and lengths of the table (8, 4, 4), both digests, SHA-256 of all that comes before it, magic. */
export const bundleFooterLength = 16 + 32 + 32 + 32 + 8;

/** Ranges of a frame's prefix, at most. */
export const bundlePrefixRanges = 1 << 17;

const tableField = { format: 1, manifest: 2, frame: 3 } as const;
const frameField = { stored: 1, content: 2, chunks: 3, prefix: 4 } as const;
const format = 1;

/** A piece of the new manifest, compressed with a piece of the old one as its prefix (both as in the hash of a manifest: not compressed). */
export interface ManifestFrame {
  /** Lengths in bytes: as it is stored, and of its content. */
  stored: number;
  content: number;
  prefix: { offset: number; length: number };
}

/** Chunks that the old version has not, the next so many of them, compressed with ranges of its files as their prefix. */
export interface ChunkFrame {
  stored: number;
  content: number;
  chunks: number;
  prefix: BaseRange[];
}

/** What is in a bundle; frames lie one after another from byte 8, those of the manifest first. */
export interface BundleTable {
  manifest: ManifestFrame[];
  frames: ChunkFrame[];
}

/** What a bundle's last bytes say. */
export interface BundleFooter {
  tableOffset: number;
  tableLength: number;
  /** Of the table once it is decompressed. */
  contentLength: number;
  from: Digest;
  to: Digest;
  /** SHA-256 of all bytes of the file before it. */
  hash: Buffer;
}

/** The table as the bytes that are compressed and stored. */
export function encodeBundleTable({ manifest, frames }: BundleTable): Buffer {
  const writer = new WireWriter();
  writer.number(tableField.format, format);
  for (const frame of manifest) {
    const message = new WireWriter();
    message.number(frameField.stored, frame.stored);
    message.number(frameField.content, frame.content);
    message.packed(frameField.prefix, [frame.prefix.offset, frame.prefix.length]);
    writer.bytes(tableField.manifest, message.view(), true);
  }
  for (const frame of frames) {
    const message = new WireWriter();
    message.number(frameField.stored, frame.stored);
    message.number(frameField.content, frame.content);
    message.number(frameField.chunks, frame.chunks);
    const prefix = frame.prefix.flatMap(({ entry, offset, length }) => [entry, offset, length]);
    message.packed(frameField.prefix, prefix);
    writer.bytes(tableField.frame, message.view(), true);
  }
  return Buffer.from(writer.view());
}

/** The table from its bytes. Every number is within the limits of the format then. Throws a `FormatError`. */
export function decodeBundleTable(bytes: Buffer): BundleTable {
  const reader = new WireReader(bytes);
  const table: BundleTable = { manifest: [], frames: [] };
  let known = 0;
  while (reader.position < bytes.length) {
    const tag = reader.varint();
    if (tag === tableField.format * 8 + wireTypes.varint) known = reader.varint();
    else if (tag === tableField.manifest * 8 + wireTypes.bytes)
      table.manifest.push(decodeManifestFrame(reader.bytes()));
    else if (tag === tableField.frame * 8 + wireTypes.bytes) table.frames.push(decodeChunkFrame(reader.bytes()));
    else reader.skip(tag % 8);
  }
  if (known !== format) throw new FormatError(`its format ${known} is not known here`);
  return table;
}

/** The footer's bytes. */
export function encodeBundleFooter(footer: BundleFooter): Buffer {
  const bytes = Buffer.alloc(bundleFooterLength);
  bytes.writeBigUInt64LE(BigInt(footer.tableOffset), 0);
  bytes.writeUInt32LE(footer.tableLength, 8);
  bytes.writeUInt32LE(footer.contentLength, 12);
  bytes.write(digestHex(footer.from), 16, 'hex');
  bytes.write(digestHex(footer.to), 48, 'hex');
  footer.hash.copy(bytes, 80);
  footMagic.copy(bytes, 112);
  return bytes;
}

/** The footer of a bundle of `length` bytes. Throws a `FormatError`. */
export function decodeBundleFooter(bytes: Buffer, length: number): BundleFooter {
  if (bytes.length !== bundleFooterLength || length < bundleHead.length + bundleFooterLength)
    throw new FormatError('it is too short');
  if (!bytes.subarray(112).equals(footMagic)) throw new FormatError('its end is not that of a bundle');
  const tableOffset = Number(bytes.readBigUInt64LE(0));
  const tableLength = bytes.readUInt32LE(8);
  const contentLength = bytes.readUInt32LE(12);
  if (tableOffset < bundleHead.length || tableOffset + tableLength + bundleFooterLength !== length)
    throw new FormatError('its table lies outside it');
  if (tableLength > bundleTableLimit || contentLength > bundleTableLimit)
    throw new FormatError('its table is too long');
  const digest = (at: number) => digestFromHex(bytes.toString('hex', at, at + 32));
  return { tableOffset, tableLength, contentLength, from: digest(16), to: digest(48), hash: bytes.subarray(80, 112) };
}

/** The part of the footer that comes before the hash, and so is covered by it. */
export function hashedPartOfFooter(footer: Buffer): Buffer {
  return footer.subarray(0, 80);
}

/** Throws a `FormatError` unless frames and table fill the file as the footer says. */
export function checkBundleFrames(table: BundleTable, { tableOffset }: BundleFooter): void {
  let at = bundleHead.length;
  for (const { stored } of [...table.manifest, ...table.frames]) at += stored;
  if (at !== tableOffset) throw new FormatError('its frames do not fill it');
}

function decodeManifestFrame(bytes: Buffer): ManifestFrame {
  const { stored, content, prefix } = decodeFrame(bytes);
  const [offset = 0, length = 0, ...rest] = prefix;
  if (rest.length > 0 || prefix.length === 1)
    throw new FormatError('a frame of the manifest has a prefix that cannot be');
  checkFrame(stored, content, length);
  return { stored, content, prefix: { offset, length } };
}

function decodeChunkFrame(bytes: Buffer): ChunkFrame {
  const { stored, content, chunks, prefix: numbers } = decodeFrame(bytes);
  if (numbers.length % 3 !== 0) throw new FormatError('a frame has a prefix that cannot be');
  const prefix: BaseRange[] = [];
  let total = 0;
  for (let at = 0; at < numbers.length; at += 3) {
    const [entry = 0, offset = 0, length = 0] = numbers.slice(at, at + 3);
    if (length === 0) throw new FormatError('a frame has an empty range');
    prefix.push({ entry, offset, length });
    total += length;
  }
  if (chunks === 0) throw new FormatError('a frame has no chunks');
  checkFrame(stored, content, total);
  return { stored, content, chunks, prefix };
}

function checkFrame(stored: number, content: number, prefix: number): void {
  if (stored === 0 || content === 0 || content > bundleFrameLimit || stored > bundleFrameLimit * 2)
    throw new FormatError('a frame has a length that cannot be');
  if (prefix > bundlePrefixLimit) throw new FormatError('a frame has too long a prefix');
}

function decodeFrame(bytes: Buffer): { stored: number; content: number; chunks: number; prefix: number[] } {
  const reader = new WireReader(bytes);
  const frame = { stored: 0, content: 0, chunks: 0, prefix: [] as number[] };
  while (reader.position < bytes.length) {
    const tag = reader.varint();
    if (tag === frameField.stored * 8 + wireTypes.varint) frame.stored = reader.varint();
    else if (tag === frameField.content * 8 + wireTypes.varint) frame.content = reader.varint();
    else if (tag === frameField.chunks * 8 + wireTypes.varint) frame.chunks = reader.uint32();
    else if (tag === frameField.prefix * 8 + wireTypes.bytes)
      reader.packed((value) => {
        if (frame.prefix.push(value) > bundlePrefixRanges * 3) throw new FormatError('a frame has too many ranges');
      });
    else reader.skip(tag % 8);
  }
  return frame;
}
