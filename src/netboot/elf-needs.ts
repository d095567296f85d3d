/** What a program needs from others to run: read from its ELF dynamic section (System V ABI, chapter 5). */
export interface ElfNeeds {
  /** Names of shared libraries, `libc.so.6`. */
  libraries: string[];
  /** Directories to search first (RUNPATH or RPATH), `$ORIGIN` not yet replaced. */
  searchPath: string[];
  /** The program that loads it, `/lib64/ld-linux-x86-64.so.2`; undefined for a library or a static program. */
  interpreter?: string;
}

const programHeader = { dynamic: 2, load: 1, interpreter: 3 } as const;
const dynamicTag = { needed: 1, stringTable: 5, rpath: 15, runpath: 29 } as const;

interface Segment {
  type: number;
  offset: number;
  address: number;
  fileSize: number;
}

/** The needs of a 64-bit little-endian ELF file; undefined where `bytes` is something else, or is cut short. */
export function elfNeeds(bytes: Uint8Array): ElfNeeds | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.length < 64 || file.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') return undefined;
  try {
    return readNeeds(file);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function readNeeds(file: Buffer): ElfNeeds {
  const segments = readSegments(file);
  const needs: ElfNeeds = { libraries: [], searchPath: [] };
  const interpreter = segments.find((segment) => segment.type === programHeader.interpreter);
  if (interpreter) needs.interpreter = text(file, interpreter.offset);
  const dynamic = segments.find((segment) => segment.type === programHeader.dynamic);
  if (!dynamic) return needs;
  const entries: Array<{ tag: number; value: number }> = [];
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.fileSize; at += 16) {
    entries.push({ tag: Number(file.readBigInt64LE(at)), value: number64(file, at + 8) });
  }
  const tableAddress = entries.find((entry) => entry.tag === dynamicTag.stringTable)?.value;
  if (tableAddress === undefined) return needs;
  const table = fileOffset(segments, tableAddress);
  for (const { tag, value } of entries) {
    if (tag === dynamicTag.needed) needs.libraries.push(text(file, table + value));
    if (tag === dynamicTag.rpath || tag === dynamicTag.runpath) {
      needs.searchPath.push(...text(file, table + value).split(':'));
    }
  }
  return needs;
}

function readSegments(file: Buffer): Segment[] {
  const start = number64(file, 32);
  const size = file.readUInt16LE(54);
  return Array.from({ length: file.readUInt16LE(56) }, (_, index) => {
    const at = start + index * size;
    return {
      type: file.readUInt32LE(at),
      offset: number64(file, at + 8),
      address: number64(file, at + 16),
      fileSize: number64(file, at + 32),
    };
  });
}

function fileOffset(segments: Segment[], address: number): number {
  const holds = ({ type, address: start, fileSize }: Segment) =>
    type === programHeader.load && address >= start && address < start + fileSize;
  const segment = segments.find(holds);
  if (!segment) throw new RangeError('an address in no segment');
  return address - segment.address + segment.offset;
}

function text(file: Buffer, offset: number): string {
  const end = file.indexOf(0, offset);
  if (end < 0) throw new RangeError('a string without an end');
  return file.toString('utf8', offset, end);
}

function number64(file: Buffer, at: number): number {
  return Number(file.readBigUInt64LE(at));
}
