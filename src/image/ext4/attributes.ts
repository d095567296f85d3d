import type { ExtendedAttribute } from '../entry.ts';
import { FormatError } from '../format-error.ts';
import { crc32c, crc32cOfNumbers } from './crc32c.ts';
import { blockSize } from './geometry.ts';

/**
 * Extended attributes in ext4's own form (`ext4/attributes.rst`, `fs/ext4/xattr.h`): in what an inode has left behind its fields, and
 * where that is too little, all in one block beside it.
 */
export interface StoredAttributes {
  /** The end of the inode: what stands behind its 160 bytes. Absent: zeros. */
  inode?: Buffer;
  /** The content of a block, still without its own number and checksum (`sealAttributeBlock`). */
  block?: Buffer;
}

/** Room behind the fields of an inode of 256 bytes. */
export const attributeRoom = 96;
const magic = 0xea020000;
const none: StoredAttributes = {};

/** Name spaces by number; ACLs have no name beyond that. */
const prefixes: readonly (readonly [string, number])[] = [
  ['system.posix_acl_access', 2],
  ['system.posix_acl_default', 3],
  ['user.', 1],
  ['trusted.', 4],
  ['security.', 6],
  ['system.', 7],
];

interface Row {
  index: number;
  name: Buffer;
  value: Uint8Array;
}

/** Throws a `FormatError` where they are more than ext4 can hold, or of a name space that it does not have. */
export function storeAttributes(attributes: readonly ExtendedAttribute[]): StoredAttributes {
  if (attributes.length === 0) return none;
  const rows = attributes.map(rowOf).sort(compareRows);
  const inline = rows.reduce((sum, row) => sum + rowSize(row) + padded(row.value.length), 4 + 4);
  if (inline <= attributeRoom) return { inode: inlineRows(rows) };
  const whole = rows.reduce((sum, row) => sum + rowSize(row) + padded(row.value.length), 32 + 4);
  if (whole > blockSize) throw new FormatError(`its extended attributes take ${whole} bytes, and ext4 holds 4096`);
  return { block: blockRows(rows) };
}

/** Tells an attribute block where it lies, and gives it its checksum. */
export function sealAttributeBlock(block: Buffer, physical: number, seed: number): void {
  block.writeUInt32LE(0, 0x10);
  const register = crc32cOfNumbers(seed, physical % 2 ** 32, Math.floor(physical / 2 ** 32));
  block.writeUInt32LE(crc32c(register, block), 0x10);
}

function rowOf({ name, value }: ExtendedAttribute): Row {
  for (const [prefix, index] of prefixes) {
    const whole = !prefix.endsWith('.');
    if (whole ? name !== prefix : !name.startsWith(prefix)) continue;
    const rest = Buffer.from(name.slice(prefix.length), 'latin1');
    return { index, name: rest, value: whole ? diskAcl(value) : value };
  }
  throw new FormatError(`ext4 has no place for the extended attribute ${name}`);
}

/** As the kernel sorts them: by name space, length of the name, name. */
function compareRows(left: Row, right: Row): number {
  return left.index - right.index || left.name.length - right.name.length || left.name.compare(right.name);
}

function inlineRows(rows: readonly Row[]): Buffer {
  const bytes = Buffer.alloc(attributeRoom);
  bytes.writeUInt32LE(magic, 0);
  // Offsets of values count from the first row.
  writeRows(rows, bytes.subarray(4), 0, false);
  return bytes;
}

function blockRows(rows: readonly Row[]): Buffer {
  const bytes = Buffer.alloc(blockSize);
  bytes.writeUInt32LE(magic, 0);
  bytes.writeUInt32LE(1, 4);
  bytes.writeUInt32LE(1, 8);
  bytes.writeUInt32LE(writeRows(rows, bytes, 32, true), 12);
  return bytes;
}

/** Rows from `at` on, values from the end backwards. Returns the hash of all. */
function writeRows(rows: readonly Row[], bytes: Buffer, at: number, hashed: boolean): number {
  let place = at;
  let end = bytes.length;
  let all = 0;
  for (const row of rows) {
    const { index, name, value } = row;
    end -= padded(value.length);
    const hash = hashed ? hashRow(row) : 0;
    bytes[place] = name.length;
    bytes[place + 1] = index;
    bytes.writeUInt16LE(value.length === 0 ? 0 : end, place + 2);
    bytes.writeUInt32LE(value.length, place + 8);
    bytes.writeUInt32LE(hash, place + 12);
    name.copy(bytes, place + 16);
    bytes.set(value, end);
    place += rowSize(row);
    all = (((all << 16) | (all >>> 16)) ^ hash) >>> 0;
  }
  return all;
}

function hashRow({ name, value }: Row): number {
  let hash = 0;
  for (const byte of name) hash = ((hash << 5) | (hash >>> 27)) ^ byte;
  const words = Buffer.alloc(padded(value.length));
  words.set(value);
  for (let at = 0; at < words.length; at += 4) hash = ((hash << 16) | (hash >>> 16)) ^ words.readUInt32LE(at);
  return hash >>> 0;
}

/** An ACL as the kernel gives it (version 2, every entry with an id) → as ext4 keeps it (version 1, ids only where they mean something). */
function diskAcl(value: Uint8Array): Buffer {
  const acl = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (acl.length < 4 || acl.readUInt32LE(0) !== 2 || (acl.length - 4) % 8 !== 0)
    throw new FormatError('its ACL is none');
  const parts: Uint8Array[] = [Buffer.from([1, 0, 0, 0])];
  for (let at = 4; at < acl.length; at += 8) {
    const tag = acl.readUInt16LE(at);
    parts.push(acl.subarray(at, tag === 2 || tag === 8 ? at + 8 : at + 4));
  }
  return Buffer.concat(parts);
}

function rowSize({ name }: Row): number {
  return padded(16 + name.length);
}

function padded(length: number): number {
  return (length + 3) & ~3;
}
