import type { Digest } from '../foundation/brand.ts';
import { displayPath } from '../foundation/brand.ts';
import { FormatError } from '../image/format-error.ts';
import { ChunkUses, parseUses } from './chunk-uses.ts';
import { type Defect, defectOf } from './defect.ts';
import { DirectoryStore } from './directory-store.ts';
import { manifestPath, packListPath, packPath, usesPath } from './layout.ts';
import { type PackListLine, parsePackList } from './pack-list.ts';
import type { PackTables } from './pack-tables.ts';
import type { ReadingStore } from './reading-store.ts';

/**
 * Reads a manifest, and looks for all its chunks in the tables. Notes in `packUsers` which packs hold them, for the
 * versions named.
 */
export async function* checkManifest(
  store: ReadingStore,
  digest: Digest,
  references: string[],
  tables: PackTables,
  packUsers: Map<string, Set<string>>,
): AsyncGenerator<Defect> {
  const { index } = tables;
  const used = new Set<number>();
  const uses = await readUseFile(store, digest);
  const wanted = uses instanceof ChunkUses ? (pack: string, chunk: number) => uses.has(pack, chunk) : undefined;
  let unnamed = 0;
  let missing = 0;
  let example = '';
  try {
    for await (const batch of store.entries(digest)) {
      for (const { path, chunks } of batch) {
        for (const { hash, length } of chunks ?? []) {
          const place = index.find(hash, wanted);
          if (place !== undefined && index.location(place).length === length) {
            used.add(place.pack);
            if (wanted?.(index.pack(place.pack).id, place.chunk) === false) unnamed += 1;
          } else {
            missing += 1;
            example ||= displayPath(path);
          }
        }
      }
    }
  } catch (error) {
    yield defectOf(error, 'manifest', manifestPath(digest), references);
  }
  for (const number of used) {
    const { id } = index.pack(number);
    packUsers.set(id, new Set([...(packUsers.get(id) ?? []), ...references]));
  }
  if (missing > 0)
    yield {
      kind: 'content',
      path: manifestPath(digest),
      code: 'chunk-missing',
      problem: `${missing} chunks that it needs are in no readable pack (the first is of ${example})`,
      affects: references,
    };
  const problem =
    uses instanceof FormatError
      ? uses.message
      : unnamed > 0
        ? `${unnamed} chunks that are needed are not in it`
        : undefined;
  if (problem !== undefined)
    yield { kind: 'uses', path: usesPath(digest), code: 'corrupt-manifest', problem, affects: references };
  yield* checkPackList(store, digest, references, tables);
}

/** What a use file says; undefined where there is none, which is no defect: a collection makes it. */
async function readUseFile(store: ReadingStore, digest: Digest): Promise<ChunkUses | FormatError | undefined> {
  if (!(store instanceof DirectoryStore)) return undefined;
  try {
    const bytes = await store.files.read(usesPath(digest), 1 << 30);
    return bytes === undefined ? undefined : parseUses(digest, bytes);
  } catch (error) {
    if (error instanceof FormatError) return error;
    throw error;
  }
}

async function* checkPackList(
  store: ReadingStore,
  digest: Digest,
  affects: string[],
  tables: PackTables,
): AsyncGenerator<Defect> {
  const path = packListPath(digest);
  let unreadable: string | undefined;
  const bytes = await store.files.read(path, 1 << 30).catch((error: unknown) => {
    if (!(error instanceof FormatError)) throw error;
    unreadable = error.message;
    return undefined;
  });
  const lines = bytes === undefined ? undefined : parsePackList(bytes.toString('latin1'));
  const wrong = lines?.find((line) => !agrees(line, tables));
  if (lines !== undefined && wrong === undefined) return;
  const problem =
    wrong !== undefined
      ? `what it says of ${packPath(wrong.pack)} is not so`
      : bytes === undefined
        ? (unreadable ?? 'it is missing')
        : 'it is not a list of packs';
  yield { kind: 'pack-list', path, code: 'corrupt-manifest', problem, affects };
}

/** A pack whose own table is damaged says nothing against the list. */
function agrees({ pack, tableOffset, packLength }: PackListLine, tables: PackTables): boolean {
  const table = tables.index.table(pack);
  if (table === undefined) return tables.failures.has(pack);
  return table.tableOffset === tableOffset && table.packLength === packLength;
}
