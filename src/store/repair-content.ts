import { type Digest, displayPath } from '../foundation/brand.ts';
import type { Task } from '../foundation/task.ts';
import type { ChunkWriter } from './chunk-writer.ts';
import { readTreeChunks } from './directory-chunks.ts';
import type { DirectoryStore } from './directory-store.ts';
import { readManifest } from './manifest-reader.ts';
import { chunkHash, readChunks } from './pack-chunks.ts';
import { PackTables } from './pack-tables.ts';
import { ReadingStore } from './reading-store.ts';

/** Where lost content may still be: another store, or a directory that holds (some of) what a version holds. */
export type RepairSource = ReadingStore | { directory: string };

/** Content that versions need and no sound pack holds: hash as 64 digits → length. */
export type WantedChunks = Map<string, number>;

/** What one version needs of content that lies in none of the packs whose tables are given. Throws `corrupt-manifest`. */
export async function addWanted(
  store: DirectoryStore,
  digest: Digest,
  sound: PackTables,
  wanted: WantedChunks,
): Promise<void> {
  for await (const batch of readManifest(store.files, digest)) {
    for (const { chunks } of batch) {
      for (const { hash, length } of chunks ?? []) {
        const place = sound.index.find(hash);
        if (place !== undefined && sound.index.location(place).length === length) continue;
        wanted.set(Buffer.from(hash).toString('hex'), length);
      }
    }
  }
}

/**
 * Writes wanted content into new packs: what damaged packs still hold, then what other stores and directories hold, every chunk
 * checked. What was found leaves `wanted`; gives for each source how many chunks came from it.
 */
export async function recoverContent(
  store: DirectoryStore,
  wanted: WantedChunks,
  damagedPacks: readonly string[],
  sources: readonly RepairSource[],
  digests: Iterable<Digest>,
  writer: ChunkWriter,
  task: Task,
): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  const total = wanted.size;
  task.expect(total, 'items');
  const take = async (from: string, hash: Uint8Array, content: Uint8Array) => {
    const name = Buffer.from(hash).toString('hex');
    if (wanted.get(name) !== content.length) return;
    await writer.add(hash, content);
    wanted.delete(name);
    found.set(from, (found.get(from) ?? 0) + 1);
    task.advance(1);
  };
  await recoverFrom(store, damagedPacks, wanted, 'damaged packs', take, task);
  for (const source of sources) {
    if (wanted.size === 0) break;
    if (source instanceof ReadingStore) {
      const packs = (await source.packs()).map((pack) => (typeof pack === 'string' ? pack : pack.pack));
      await recoverFrom(source, packs, wanted, source.location, take, task);
    } else {
      for (const digest of digests) {
        if (wanted.size === 0) break;
        const entries = readManifest(store.files, digest);
        const isWanted = (hash: Uint8Array) => wanted.has(Buffer.from(hash).toString('hex'));
        for await (const { hash, content, path } of readTreeChunks(source.directory, entries, isWanted)) {
          task.signal.throwIfAborted();
          if (content !== undefined) await take(source.directory, hash, content);
          else task.log(`${displayPath(path)} in ${source.directory} is not what it was`);
        }
      }
    }
  }
  return found;
}

/** Reads all that is wanted from packs of a store, those whose tables can be read. */
async function recoverFrom(
  store: ReadingStore,
  packs: readonly string[],
  wanted: WantedChunks,
  name: string,
  take: (from: string, hash: Uint8Array, content: Uint8Array) => Promise<void>,
  task: Task,
): Promise<void> {
  const tables = new PackTables(store.files);
  await tables.load(packs);
  for (const pack of packs) {
    task.signal.throwIfAborted();
    const table = tables.index.table(pack);
    if (table === undefined || wanted.size === 0) continue;
    const isWanted = (chunk: number) => wanted.has(Buffer.from(chunkHash(table, chunk)).toString('hex'));
    for await (const { chunk, content } of readChunks(store.files, pack, table, isWanted))
      if (content !== undefined) await take(name, chunkHash(table, chunk), content);
  }
}
