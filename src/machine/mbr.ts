import { Buffer } from 'node:buffer';
import type { ReadBytes } from '../image/fat-reader.ts';

/**
 * The partition table of an MBR disk, with its chain of extended boot records. Source of the form: the IBM PC's master boot record as
 * Linux reads it (`block/partitions/msdos.c`). Nothing of it is believed: chains may loop, entries may lie.
 */

/** A row of the table. Sectors of the disk. */
export interface MbrEntry {
  /** 1 to 4; 5 and more in the extended partition. */
  number: number;
  active: boolean;
  /** `0x83` is Linux, `0xee` the guard of a GPT. */
  type: number;
  start: number;
  size: number;
}

export interface Mbr {
  /** The disk's signature at byte 440: Windows knows its disks by it. */
  diskId: number;
  /** Rows that are used. */
  entries: MbrEntry[];
}

const tableAt = 446;
const rowLength = 16;
const extendedTypes: ReadonlySet<number> = new Set([0x05, 0x0f, 0x85]);
/** Linux counts no further either. */
const mostLogical = 256;

/** True for a partition that only holds others. */
export function isExtended(type: number): boolean {
  return extendedTypes.has(type);
}

/** The table in a first sector, undefined where there is none: no mark at its end, or rows that cannot be. */
export function parseMbr(sector: Uint8Array): Mbr | undefined {
  const bytes = Buffer.from(sector.buffer, sector.byteOffset, sector.byteLength);
  if (bytes.length < 512 || bytes.readUInt16LE(510) !== 0xaa55) return undefined;
  const entries: MbrEntry[] = [];
  for (let number = 1; number <= 4; number += 1) {
    const row = bytes.subarray(tableAt + (number - 1) * rowLength, tableAt + number * rowLength);
    const flag = row[0] ?? 0;
    // A file system without a table has its own code where the rows would be.
    if (flag !== 0 && flag !== 0x80) return undefined;
    const entry = { number, active: flag === 0x80, type: row[4] ?? 0, ...place(row) };
    if (entry.type === 0 && entry.size === 0) continue;
    if (entry.start === 0 || entry.size === 0 || entry.type === 0) return undefined;
    entries.push(entry);
  }
  return { diskId: bytes.readUInt32LE(440), entries };
}

/** The chain of an extended partition: what lies in it, and the sectors in which the records are. */
export interface LogicalChain {
  entries: MbrEntry[];
  /** Sectors of the disk, one record each, in the order of the chain. */
  records: number[];
  /** Why the chain stopped before its end. */
  problem?: string;
}

/** Follows the chain. `read` gives bytes of the disk. */
export function readLogicals(read: ReadBytes, extended: MbrEntry, sectorSize: number): LogicalChain {
  const chain: LogicalChain = { entries: [], records: [] };
  const end = extended.start + extended.size;
  const stopped = (problem: string): LogicalChain => ({ ...chain, problem });
  for (let at: number | undefined = extended.start; at !== undefined; ) {
    if (at < extended.start || at >= end) return stopped(`record ${chain.records.length + 1} lies outside`);
    if (chain.records.includes(at)) return stopped('the chain of records has no end');
    if (chain.records.length >= mostLogical) return stopped('the chain of records is too long');
    const sector = read(at * sectorSize, 512);
    if (sector.length < 512 || sector.readUInt16LE(510) !== 0xaa55) {
      return stopped(`record ${chain.records.length + 1}, in sector ${at}, is damaged`);
    }
    chain.records.push(at);
    let next: number | undefined;
    for (let index = 0; index < 4; index += 1) {
      const row = sector.subarray(tableAt + index * rowLength, tableAt + (index + 1) * rowLength);
      const type = row[4] ?? 0;
      const { start, size } = place(row);
      if (size === 0) continue;
      if (isExtended(type)) {
        next ??= extended.start + start;
      } else if (index < 2 && type !== 0) {
        const number = 5 + chain.entries.length;
        if (at + start + size > end) return stopped(`partition ${number} ends outside`);
        chain.entries.push({ number, active: row[0] === 0x80, type, start: at + start, size });
      }
    }
    at = next;
  }
  return chain;
}

function place(row: Uint8Array): { start: number; size: number } {
  const bytes = Buffer.from(row.buffer, row.byteOffset, row.byteLength);
  return { start: bytes.readUInt32LE(8), size: bytes.readUInt32LE(12) };
}
