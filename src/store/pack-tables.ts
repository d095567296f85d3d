import type { Digest } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import { FormatError } from '../image/format-error.ts';
import { type PackTable, packFooterLength, packTableLimit, parsePackFooter, parsePackTable } from '../image/pack.ts';
import { ChunkIndex } from './chunk-index.ts';
import { packListPath, packPath } from './layout.ts';
import { type PackListLine, parsePackList } from './pack-list.ts';
import type { StoreFiles } from './store-files.ts';

const listLimit = 64 << 20;
const parallel = 6;

/** What one reading of a pack's table gave. */
export type TableResult = { pack: string; table: PackTable } | { pack: string; error: ImprintError };

/**
 * The tables of contents of a store's packs, read when they are first needed and kept in one index. A table that cannot be
 * read is remembered as such: it matters only to who needs a chunk that is nowhere else.
 */
export class PackTables {
  readonly index = new ChunkIndex();
  readonly failures = new Map<string, ImprintError>();
  readonly #files: StoreFiles;

  constructor(files: StoreFiles) {
    this.#files = files;
  }

  /** Reads those tables that were not read yet. */
  async load(packs: readonly (string | PackListLine)[]): Promise<void> {
    const wanted = packs.map((pack) => (typeof pack === 'string' ? { pack } : pack));
    const missing = wanted.filter(({ pack }) => !this.index.has(pack));
    for (let from = 0; from < missing.length; from += parallel) {
      const results = await Promise.all(
        missing.slice(from, from + parallel).map((line) => readPackTable(this.#files, line)),
      );
      for (const result of results) {
        if ('error' in result) {
          this.failures.set(result.pack, result.error);
        } else {
          this.failures.delete(result.pack);
          this.index.add(result.pack, result.table);
        }
      }
    }
  }

  /** The packs that hold a manifest's chunks, as its list says; undefined where there is no good list. */
  async listOf(digest: Digest): Promise<PackListLine[] | undefined> {
    return readPackList(this.#files, digest);
  }
}

/** The list of packs beside a manifest; undefined where it is missing or damaged, for it is only advisory. */
export async function readPackList(files: StoreFiles, digest: Digest): Promise<PackListLine[] | undefined> {
  try {
    const bytes = await files.read(packListPath(digest), listLimit);
    return bytes === undefined ? undefined : parsePackList(bytes.toString('latin1'));
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

/**
 * A pack's table. With its place known it is one read; what is said of the place is checked. A pack that is missing or
 * damaged comes as an error value; a store that does not answer is thrown.
 */
export async function readPackTable(
  files: StoreFiles,
  { pack, tableOffset, packLength }: { pack: string; tableOffset?: number; packLength?: number },
): Promise<TableResult> {
  const path = packPath(pack);
  try {
    const length = packLength ?? (await files.length(path));
    if (length === undefined) throw new FormatError('it is missing');
    if (length < packFooterLength) throw new FormatError('it is too short');
    let from = tableOffset;
    if (from === undefined) {
      const footer = await readExactly(files, path, length - packFooterLength, packFooterLength);
      from = parsePackFooter(footer, length).tableOffset;
    }
    if (length - from > packTableLimit + packFooterLength) throw new FormatError('its table of contents is too long');
    const tail = await readExactly(files, path, from, length - from);
    const place = parsePackFooter(tail.subarray(Math.max(0, tail.length - packFooterLength)), length);
    if (place.tableOffset !== from) throw new FormatError('its table of contents lies elsewhere');
    return { pack, table: parsePackTable(tail.subarray(0, place.tableLength), place) };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    const details = { pack, store: files.location, problem: error.message };
    return { pack, error: new ImprintError('corrupt-pack', details, { cause: error }) };
  }
}

async function readExactly(files: StoreFiles, path: string, offset: number, length: number): Promise<Buffer> {
  const bytes = await files.readRange(path, offset, length);
  if (bytes === undefined) throw new FormatError('it is missing');
  if (bytes.length !== length) throw new FormatError('it is cut short');
  return bytes;
}
