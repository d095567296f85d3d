import { Buffer } from 'node:buffer';
import { crc32 } from '../image/crc32.ts';
import type { ReadBytes } from '../image/fat-reader.ts';

/** A GPT: both copies, each with its checksums (UEFI specification 2.10, chapter 5.3). Nothing of it is believed. */

/** A row of the table. Sectors of the disk. */
export interface GptEntry {
  number: number;
  /** GUIDs in lower case. */
  type: string;
  uuid: string;
  start: number;
  size: number;
  name: string;
  /** 64 bits, 16 hexadecimal digits: read-only, hidden, to be booted by old BIOS … */
  flags: string;
}

/** One copy of the table. Sectors of the disk. */
export interface GptCopy {
  /** Where its header lies. */
  at: number;
  /** Where it says that the other header lies. */
  other: number;
  /** The disk's GUID. */
  uuid: string;
  firstUsable: number;
  lastUsable: number;
  entriesAt: number;
  /** Bytes. */
  entriesLength: number;
  entries: GptEntry[];
}

export type GptAnswer = { kind: 'whole'; copy: GptCopy } | { kind: 'damaged'; problem: string } | { kind: 'absent' };

const signature = 'EFI PART';
const mostEntries = 4096;

/** The copy whose header lies in this sector. */
export function readGptCopy(read: ReadBytes, at: number, sectorSize: number, diskSize: number): GptAnswer {
  const header = read(at * sectorSize, sectorSize);
  if (header.length < 512 || header.toString('latin1', 0, 8) !== signature) return { kind: 'absent' };
  const damaged = (problem: string): GptAnswer => ({ kind: 'damaged', problem });
  const length = header.readUInt32LE(12);
  if (length < 92 || length > sectorSize) return damaged('its header has a length that cannot be');
  const summed = Buffer.from(header.subarray(0, length));
  summed.writeUInt32LE(0, 16);
  if (crc32(summed) !== header.readUInt32LE(16)) return damaged('the checksum of its header is wrong');
  if (sectorAt(header, 24) !== at) return damaged('its header is one of another place');
  const entriesAt = sectorAt(header, 72);
  const count = header.readUInt32LE(80);
  const rowLength = header.readUInt32LE(84);
  if (count > mostEntries || rowLength < 128 || rowLength > 4096) return damaged('its rows have a form that cannot be');
  const entriesLength = count * rowLength;
  if (entriesAt * sectorSize + entriesLength > diskSize) return damaged('its rows lie outside the disk');
  const rows = read(entriesAt * sectorSize, entriesLength);
  if (crc32(rows) !== header.readUInt32LE(88)) return damaged('the checksum of its rows is wrong');
  const entries: GptEntry[] = [];
  for (let index = 0; index < count; index += 1) {
    const entry = parseRow(rows.subarray(index * rowLength, (index + 1) * rowLength), index + 1);
    if (entry !== undefined) entries.push(entry);
  }
  const copy: GptCopy = {
    at,
    other: sectorAt(header, 32),
    uuid: guidText(header, 56),
    firstUsable: sectorAt(header, 40),
    lastUsable: sectorAt(header, 48),
    entriesAt,
    entriesLength,
    entries,
  };
  return { kind: 'whole', copy };
}

/** Bytes and where they belong. */
export interface PlacedBytes {
  offset: number;
  bytes: Buffer;
}

/** The other copy of a table, made from the one that is whole: rows first, then the header that makes them count. */
export function otherGptCopy(read: ReadBytes, copy: GptCopy, sectorSize: number): PlacedBytes[] {
  const rows = Buffer.from(read(copy.entriesAt * sectorSize, copy.entriesLength));
  const sectors = Math.ceil(rows.length / sectorSize);
  const rowsAt = copy.other < copy.at ? copy.other + 1 : copy.other - sectors;
  const header = Buffer.from(read(copy.at * sectorSize, sectorSize));
  header.writeBigUInt64LE(BigInt(copy.other), 24);
  header.writeBigUInt64LE(BigInt(copy.at), 32);
  header.writeBigUInt64LE(BigInt(rowsAt), 72);
  header.writeUInt32LE(0, 16);
  header.writeUInt32LE(crc32(header.subarray(0, header.readUInt32LE(12))), 16);
  return [
    { offset: rowsAt * sectorSize, bytes: rows },
    { offset: copy.other * sectorSize, bytes: header },
  ];
}

/**
 * The guard of a GPT for the first sector, from byte 440 on: the signature that is there stays, one row of type EE covers the disk (UEFI
 * specification 2.10, chapter 5.2.3).
 */
export function gptGuard(present: Uint8Array, sectors: number): PlacedBytes {
  const bytes = Buffer.alloc(72);
  bytes.set(present.subarray(440, 446), 0);
  // Not active; from cylinder 0, head 0, sector 2 to the end that such numbers can say.
  bytes.set([0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff], 6);
  bytes.writeUInt32LE(1, 14);
  bytes.writeUInt32LE(Math.min(sectors - 1, 0xffffffff), 18);
  bytes.writeUInt16LE(0xaa55, 70);
  return { offset: 440, bytes };
}

/** A GUID as text in lower case: its first three fields are little-endian. */
export function guidText(bytes: Uint8Array, at: number): string {
  const raw = Buffer.from(bytes.subarray(at, at + 16));
  raw.subarray(0, 4).reverse();
  raw.subarray(4, 6).reverse();
  raw.subarray(6, 8).reverse();
  return raw.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function parseRow(row: Buffer, number: number): GptEntry | undefined {
  if (row.subarray(0, 16).every((byte) => byte === 0)) return undefined;
  const start = sectorAt(row, 32);
  const last = sectorAt(row, 40);
  const name = row.toString('utf16le', 56, 128).replace(/\0.*$/s, '');
  const flags = row.readBigUInt64LE(48).toString(16).padStart(16, '0');
  const [type, uuid] = [guidText(row, 0), guidText(row, 16)];
  return { number, type, uuid, start, size: Math.max(0, last - start + 1), name, flags };
}

/** Numbers beyond 2⁵³ are no sectors of any disk. */
function sectorAt(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64LE(at));
}
