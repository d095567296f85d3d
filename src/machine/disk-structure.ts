import { Buffer } from 'node:buffer';
import { hash } from 'node:crypto';
import type { ReadBytes } from '../image/fat-reader.ts';
import { type GptAnswer, type GptCopy, gptGuard, otherGptCopy, type PlacedBytes, readGptCopy } from './gpt.ts';
import { isExtended, type Mbr, parseMbr, readLogicals } from './mbr.ts';

/** A partition as the disk itself says it. Bytes. */
export interface StructurePartition {
  number: number;
  start: number;
  size: number;
  /** A GUID in lower case, or two hexadecimal digits. */
  type: string;
  /** Of the partition: a GUID, on an MBR disk `1234abcd-01`. */
  uuid?: string;
  name?: string;
  active?: boolean;
  /** Of a GPT, where any is set: 16 hexadecimal digits. */
  flags?: string;
}

/** Bytes of the disk that make up its table. */
export interface TableRange {
  name: 'record' | 'primary' | 'primary-rows' | 'backup-rows' | 'backup' | `logical-${number}`;
  offset: number;
  length: number;
}

/** How a disk is divided, read from its own bytes, with all that is wrong about it. */
export interface DiskStructure {
  /** `none`: there is no table, or none that is whole. */
  label: 'gpt' | 'mbr' | 'none';
  size: number;
  sectorSize: number;
  /** The disk's GUID, or signature in 8 hexadecimal digits. */
  id?: string;
  /** In the order of their numbers. */
  partitions: StructurePartition[];
  /** Where the table lies, in the order in which it is written: what makes the rest count comes last. */
  ranges: TableRange[];
  /** In words. */
  problems: string[];
}

export const biosBootType = '21686148-6449-6e6f-744e-656564454649';
export const espType = 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b';
const espMbrType = 'ef';
const guardType = 0xee;
/** The table in the first sector: the disk's signature, two bytes, four rows, the mark. */
const record: TableRange = { name: 'record', offset: 440, length: 72 };

/** Reads the table of a disk or image file of `size` bytes. */
export function readDiskStructure(read: ReadBytes, size: number, sectorSize: number): DiskStructure {
  const mbr = parseMbr(read(0, 512));
  const primary = readGptCopy(read, 1, sectorSize, size);
  const backup = findBackup(read, primary, size, sectorSize);
  const guarded = mbr?.entries.some(({ type }) => type === guardType) ?? false;
  const isGpt = primary.kind === 'whole' || backup.kind === 'whole';
  // An MBR that was written over a GPT leaves both copies behind it: then the guard is gone, and rows are there.
  const overwritten = mbr !== undefined && !guarded && mbr.entries.length > 0;
  if (isGpt && !overwritten) return gptStructure(mbr, primary, backup, size, sectorSize);
  if (mbr !== undefined && !guarded && mbr.entries.length > 0) return mbrStructure(read, mbr, size, sectorSize);
  const problems = guarded
    ? [`both copies of the partition table are damaged or gone (${words(primary)}; ${words(backup)})`]
    : ['there is no partition table'];
  return { label: 'none', size, sectorSize, partitions: [], ranges: [], problems };
}

/**
 * What mends a GPT of which one copy, or the guard in the first sector, is damaged: from what is whole. Empty where nothing is, or where no copy is whole. A disk
 * that has grown keeps its table where it was.
 */
export function mendedTable(read: ReadBytes, structure: DiskStructure): { what: string; pieces: PlacedBytes[] }[] {
  const { label, size, sectorSize } = structure;
  if (label !== 'gpt') return [];
  const primary = readGptCopy(read, 1, sectorSize, size);
  const backup = findBackup(read, primary, size, sectorSize);
  const mends: { what: string; pieces: PlacedBytes[] }[] = [];
  if (primary.kind === 'whole' && backup.kind !== 'whole') {
    mends.push({ what: 'the backup of the partition table', pieces: otherGptCopy(read, primary.copy, sectorSize) });
  }
  if (backup.kind === 'whole' && primary.kind !== 'whole') {
    mends.push({ what: 'the partition table, from its backup', pieces: otherGptCopy(read, backup.copy, sectorSize) });
  }
  const first = read(0, 512);
  if (!(parseMbr(first)?.entries.some(({ type }) => type === guardType) ?? false)) {
    mends.push({
      what: 'the guard of the GPT in the first sector',
      pieces: [gptGuard(first, Math.floor(size / sectorSize))],
    });
  }
  return mends;
}

/** One hash for what the table says, whichever of its copies said it. */
export function tableHash({ label, id, partitions }: Pick<DiskStructure, 'label' | 'id' | 'partitions'>): string {
  const rows = partitions.map(({ number, start, size, type, uuid, name, active, flags }) => [
    ...[number, start, size, type, uuid ?? '', name ?? '', active ?? false, flags ?? ''],
  ]);
  return hash('sha256', JSON.stringify([label, id ?? '', rows]), 'hex');
}

export function isEsp({ type }: Pick<StructurePartition, 'type'>): boolean {
  return type === espType || type === espMbrType;
}

export function isBiosBoot({ type }: Pick<StructurePartition, 'type'>): boolean {
  return type === biosBootType;
}

/** The backup lies in the last sector; on a disk that has grown since, where the primary says. */
function findBackup(read: ReadBytes, primary: GptAnswer, size: number, sectorSize: number): GptAnswer {
  const last = Math.floor(size / sectorSize) - 1;
  const atEnd = readGptCopy(read, last, sectorSize, size);
  if (atEnd.kind === 'whole' || primary.kind !== 'whole') return atEnd;
  const { other } = primary.copy;
  const elsewhere = other > 1 && other < last ? readGptCopy(read, other, sectorSize, size) : atEnd;
  return elsewhere.kind === 'absent' ? atEnd : elsewhere;
}

function gptStructure(
  mbr: Mbr | undefined,
  primary: GptAnswer,
  backup: GptAnswer,
  size: number,
  sectorSize: number,
): DiskStructure {
  const problems: string[] = [];
  if (mbr === undefined) problems.push('the first sector has no mark at its end: BIOS will not start it');
  else if (!mbr.entries.some(({ type }) => type === guardType)) {
    problems.push('the first sector does not say that the disk has a GPT');
  }
  if (primary.kind !== 'whole') problems.push(`the partition table is ${words(primary)}; its backup is whole`);
  if (backup.kind !== 'whole') problems.push(`the backup of the partition table is ${words(backup)}`);
  const whole = [primary, backup].flatMap((answer) => (answer.kind === 'whole' ? [answer.copy] : []));
  const [copy, other] = whole;
  if (copy === undefined) throw new RangeError('no copy is whole');
  if (other !== undefined && JSON.stringify(other.entries) !== JSON.stringify(copy.entries)) {
    problems.push('the two copies of the partition table differ');
  }
  const last = Math.floor(size / sectorSize) - 1;
  if (Math.max(copy.at, copy.other) < last)
    problems.push('the disk is larger than its partition table knows: the backup is not at its end');
  const partitions = copy.entries.map(({ number, start, size: length, type, uuid, name, flags }) => ({
    ...{ number, start: start * sectorSize, size: length * sectorSize, type, uuid },
    ...(name === '' ? {} : { name }),
    ...(/^0*$/.test(flags) ? {} : { flags }),
  }));
  for (const { number, start, size: length } of partitions) {
    if (length === 0 || start + length > size) problems.push(`partition ${number} does not fit on the disk`);
  }
  // Of a disk that was cut off, the other copy lies behind its end.
  const ranges = gptRanges(copy, sectorSize).filter(({ offset, length }) => offset >= 0 && offset + length <= size);
  return { label: 'gpt', size, sectorSize, id: copy.uuid, partitions, ranges, problems };
}

/** Where both copies lie, known from either. */
function gptRanges(copy: GptCopy, sectorSize: number): TableRange[] {
  const length = Math.ceil(copy.entriesLength / sectorSize) * sectorSize;
  const isPrimary = copy.at < copy.other;
  const backupAt = (isPrimary ? copy.other : copy.at) * sectorSize;
  const rowsOfPrimary = isPrimary ? copy.entriesAt * sectorSize : 2 * sectorSize;
  const rowsOfBackup = isPrimary ? backupAt - length : copy.entriesAt * sectorSize;
  return [
    { name: 'backup-rows', offset: rowsOfBackup, length },
    { name: 'backup', offset: backupAt, length: sectorSize },
    { name: 'primary-rows', offset: rowsOfPrimary, length },
    { name: 'primary', offset: sectorSize, length: sectorSize },
    record,
  ];
}

function mbrStructure(read: ReadBytes, mbr: Mbr, size: number, sectorSize: number): DiskStructure {
  const problems: string[] = [];
  const chain = mbr.entries
    .filter(({ type }) => isExtended(type))
    .slice(0, 1)
    .map((extended) => readLogicals(read, extended, sectorSize))[0];
  if (chain?.problem !== undefined) problems.push(`the logical partitions are cut short: ${chain.problem}`);
  const id = Buffer.alloc(4);
  id.writeUInt32BE(mbr.diskId);
  const partitions = [...mbr.entries, ...(chain?.entries ?? [])].map((entry) => ({
    number: entry.number,
    start: entry.start * sectorSize,
    size: entry.size * sectorSize,
    type: entry.type.toString(16).padStart(2, '0'),
    uuid: `${id.toString('hex')}-${entry.number.toString(16).padStart(2, '0')}`,
    ...(entry.active ? { active: true } : {}),
  }));
  for (const { number, start, size: length } of partitions) {
    if (start + length > size) problems.push(`partition ${number} does not fit on the disk`);
  }
  const logical = (chain?.records ?? []).map((sector, index) => ({
    ...{ name: `logical-${index + 5}` as const, offset: sector * sectorSize, length: 512 },
  }));
  return {
    ...{ label: 'mbr', size, sectorSize, id: id.toString('hex'), partitions, problems },
    ranges: [...logical, record],
  };
}

function words(answer: GptAnswer): string {
  if (answer.kind === 'damaged') return `damaged: ${answer.problem}`;
  return answer.kind === 'absent' ? 'gone' : 'whole';
}
