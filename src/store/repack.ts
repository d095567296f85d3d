import type { Digest } from '../foundation/brand.ts';
import type { Task } from '../foundation/task.ts';
import { bitAt, ChunkUses } from './chunk-uses.ts';
import { ChunkWriter, type WrittenChunk } from './chunk-writer.ts';
import type { DirectoryStore } from './directory-store.ts';
import { chunkHash, readChunks } from './pack-chunks.ts';
import { type Condemned, retirePacks } from './pack-deletion.ts';
import { readPackTable } from './pack-tables.ts';
import type { StoreSurvey } from './store-survey.ts';
import { writeUses } from './use-files.ts';

/** What rewriting packs did. */
export interface RepackReport {
  /** Packs whose content moved, now retired. */
  moved: Condemned[];
  /** Packs that turned out to be damaged, and stayed. */
  damaged: string[];
  packsWritten: number;
  bytesWritten: number;
}

/**
 * Writes what is needed of some packs into new ones and lets the versions use those, under the store's lock. The survey is
 * changed accordingly. Whenever it is cut, each version uses packs that are there.
 */
export async function repack(
  store: DirectoryStore,
  survey: StoreSurvey,
  packs: readonly string[],
  temporary: string,
  task: Task,
): Promise<RepackReport> {
  const writer = new ChunkWriter(store, temporary);
  const moves = new Map<string, Map<number, WrittenChunk>>();
  const damaged: string[] = [];
  for (const pack of packs) {
    task.signal.throwIfAborted();
    const moved = await copyNeeded(store, survey, pack, writer);
    if (moved === undefined) damaged.push(pack);
    else moves.set(pack, moved);
    task.advance(survey.packs.get(pack)?.bytes ?? 0);
  }
  await writer.finish();
  const sizes = await tableSizes(store, writer.packs);
  const moved = [...moves.keys()].map((pack) => ({ pack, users: usersOf(survey, pack) }));
  await retirePacks(store, moved, temporary);
  for (const [digest, root] of survey.roots) {
    if (![...root.uses.packs.keys()].some((pack) => moves.has(pack))) continue;
    root.uses = movedUses(root.uses, moves, writer.packs, sizes);
    await writeUses(store, digest, root.uses, temporary);
  }
  for (const { pack } of moved) survey.needed.packs.delete(pack);
  return { moved, damaged, packsWritten: writer.packs.length, bytesWritten: writer.bytes };
}

/** Where each needed chunk of a pack went; undefined where one of them cannot be read. */
async function copyNeeded(
  store: DirectoryStore,
  survey: StoreSurvey,
  pack: string,
  writer: ChunkWriter,
): Promise<Map<number, WrittenChunk> | undefined> {
  const result = await readPackTable(store.files, { pack });
  if ('error' in result) return undefined;
  const { table } = result;
  const use = survey.needed.packs.get(pack);
  const places = new Map<number, WrittenChunk>();
  for await (const { chunk, content } of readChunks(store.files, pack, table, (number) => bitAt(use, number))) {
    if (content === undefined) return undefined;
    places.set(chunk, await writer.add(chunkHash(table, chunk), content));
  }
  return places;
}

/** Who must not be reading when a pack goes: who uses it now, and whom an older mark names. */
function usersOf(survey: StoreSurvey, pack: string): Digest[] {
  const users = new Set(survey.packs.get(pack)?.retired?.users);
  for (const [digest, { uses, before }] of survey.roots)
    if (uses.packs.has(pack) || before?.packs.has(pack)) users.add(digest);
  return [...users];
}

async function tableSizes(store: DirectoryStore, packs: readonly string[]): Promise<number[]> {
  const sizes: number[] = [];
  for (const pack of packs) {
    const result = await readPackTable(store.files, { pack });
    if ('error' in result) throw result.error;
    sizes.push(result.table.chunks);
  }
  return sizes;
}

function movedUses(
  uses: ChunkUses,
  moves: ReadonlyMap<string, ReadonlyMap<number, WrittenChunk>>,
  packs: readonly string[],
  sizes: readonly number[],
): ChunkUses {
  const moved = new ChunkUses();
  for (const [pack, use] of uses.packs) {
    const places = moves.get(pack);
    if (places === undefined) moved.packs.set(pack, use);
    for (const [chunk, place] of places ?? [])
      if (bitAt(use, chunk)) moved.note(packs[place.pack] ?? '', sizes[place.pack] ?? 0, place.chunk);
  }
  return moved;
}
