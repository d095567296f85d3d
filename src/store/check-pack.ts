import { hash } from 'node:crypto';
import { FormatError } from '../image/format-error.ts';
import { checkPackHead, type PackTable, packFooterLength, parsePackFooter, parsePackTable } from '../image/pack.ts';
import { packPath } from './layout.ts';
import type { StoreFiles } from './store-files.ts';
import { decompress } from './zstd.ts';

/** Far beyond what is ever written (32 MiB and a little). */
const packLimit = 2 ** 30;

/**
 * Reads a whole pack: its name against its bytes, its table, and every chunk against its hash. Gives what is wrong, as far
 * as it can be told where; undefined where all is well.
 */
export async function checkPack(files: StoreFiles, pack: string): Promise<string | undefined> {
  try {
    const bytes = await files.read(packPath(pack), packLimit);
    if (bytes === undefined) return 'it is missing';
    const whole = hash('sha256', bytes, 'hex') === pack;
    const inside = checkInside(bytes);
    return whole || inside !== undefined ? inside : 'its bytes do not match its name, though its content is whole';
  } catch (error) {
    if (error instanceof FormatError) return error.message;
    if ((error as NodeJS.ErrnoException).code === 'EIO') return 'its disk cannot read it';
    throw error;
  }
}

function checkInside(bytes: Buffer): string | undefined {
  checkPackHead(bytes.subarray(0, 8));
  const footer = bytes.subarray(Math.max(0, bytes.length - packFooterLength));
  const place = parsePackFooter(footer, bytes.length);
  const table = parsePackTable(bytes.subarray(place.tableOffset, place.tableOffset + place.tableLength), place);
  const damaged: number[] = [];
  for (let frame = 0; frame < table.frames; frame += 1) {
    if (!frameIsWhole(bytes, table, frame)) damaged.push(frame);
  }
  if (damaged.length === 0) return undefined;
  const [first = 0] = damaged;
  const more = damaged.length === 1 ? '' : ` and ${damaged.length - 1} more`;
  return `frame ${first} (at byte ${table.frameOffset[first]})${more} does not hold what it should`;
}

function frameIsWhole(bytes: Buffer, table: PackTable, frame: number): boolean {
  const from = table.frameOffset[frame] as number;
  try {
    const content = decompress(
      bytes.subarray(from, from + (table.frameLength[frame] as number)),
      table.frameContentLength[frame] as number,
    );
    const end = frame + 1 < table.frames ? (table.frameFirstChunk[frame + 1] as number) : table.chunks;
    for (let chunk = table.frameFirstChunk[frame] as number; chunk < end; chunk += 1) {
      const at = table.chunkOffset[chunk] as number;
      const found = hash('sha256', content.subarray(at, at + (table.chunkLength[chunk] as number)), 'buffer');
      if (found.compare(table.hashes, chunk * 32, chunk * 32 + 32) !== 0) return false;
    }
    return true;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}
