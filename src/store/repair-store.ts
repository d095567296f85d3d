import type { Digest } from '../foundation/brand.ts';
import type { Task } from '../foundation/task.ts';
import type { PublicKey } from '../image/signature.ts';
import { checkStore } from './check-store.ts';
import { ChunkWriter } from './chunk-writer.ts';
import type { Defect } from './defect.ts';
import type { DirectoryStore } from './directory-store.ts';
import { removeDurably } from './durable.ts';
import { makeIndex } from './index-maker.ts';
import { packPath } from './layout.ts';
import { type Condemned, deletePacks, retirePacks } from './pack-deletion.ts';
import { PackTables, readPackList } from './pack-tables.ts';
import { ReadingStore } from './reading-store.ts';
import { addWanted, type RepairSource, recoverContent, type WantedChunks } from './repair-content.ts';
import { type Repair, repairIndex, repairRecords } from './repair-records.ts';
import { type StoreSurvey, surveyStore, untold } from './store-survey.ts';
import { writeUses } from './use-files.ts';

export interface RepairOptions {
  /** In the order in which they are asked. */
  sources: readonly RepairSource[];
  publicKeys?: readonly PublicKey[];
  /** Captures a directory without making a version, for its manifest: called where manifests are lost, with the directory. */
  captureAgain?: (directory: string) => Promise<void>;
}

export interface RepairReport {
  repaired: Repair[];
  /** What was found before, and what is left. */
  before: Defect[];
  after: Defect[];
}

/**
 * Checks a store, puts right what can be, and checks again. What damaged packs still hold and what sources hold is written to new packs before
 * any damaged one goes; nothing is deleted that may still be of use.
 */
export async function repairStore(store: DirectoryStore, options: RepairOptions, task: Task): Promise<RepairReport> {
  const check = (name: string) =>
    task.part(name, (part) => Array.fromAsync(checkStore(store, part, { publicKeys: options.publicKeys ?? [] })));
  const before = await check('check');
  if (before.length === 0) return { repaired: [], before, after: before };
  const repaired: Repair[] = [];
  if (before.some(({ kind }) => kind === 'manifest')) {
    for (const source of options.sources)
      if (!(source instanceof ReadingStore)) await options.captureAgain?.(source.directory);
  }
  await store.change('repair', async (temporary) => {
    const stores = options.sources.filter((source) => source instanceof ReadingStore);
    const mending = { store, stores, publicKeys: options.publicKeys ?? [], temporary };
    repaired.push(...(await repairRecords(mending, before)));
    repaired.push(...(await repairContent(store, before, options.sources, temporary, task)));
    for (const { kind, path } of before) if (kind === 'hints') await removeDurably(store.path(path));
    const lost = before.filter(({ kind }) => kind === 'record' || kind === 'signature');
    const found = new Set(repaired.map(({ path }) => path));
    await repairIndex(
      store,
      lost.every(({ path }) => found.has(path)),
    );
  });
  const after = await check('check again');
  const left = new Set(after.map(({ path }) => path));
  const told = new Set(repaired.map(({ path }) => path));
  for (const { kind, path } of before)
    if (!left.has(path) && !told.has(path)) {
      told.add(path);
      repaired.push({ path, how: kind === 'bundle' ? 'removed' : 'made again' });
    }
  return { repaired: repaired.filter(({ path }) => !left.has(path)), before, after };
}

/** Content: recovered to new packs; then each version uses sound packs, and damaged ones that nobody needs go. */
async function repairContent(
  store: DirectoryStore,
  defects: readonly Defect[],
  sources: readonly RepairSource[],
  temporary: string,
  task: Task,
): Promise<Repair[]> {
  const damaged = new Set(await store.damagedPacks());
  const all = await store.packs();
  const sound = new PackTables(store.files);
  await sound.load(all.filter((pack) => !damaged.has(pack)));
  const wanted: WantedChunks = new Map();
  const readable: Digest[] = [];
  for (const digest of await digestsOf(store)) {
    try {
      await addWanted(store, digest, sound, wanted);
      readable.push(digest);
    } catch (error) {
      // Said by the check; what it needs cannot be known.
      untold(error);
    }
  }
  const writer = new ChunkWriter(store, temporary);
  const bad = all.filter((pack) => damaged.has(pack));
  const found = await task.part('recover content', (part) =>
    recoverContent(store, wanted, bad, sources, readable, writer, part),
  );
  await writer.finish();
  let survey: StoreSurvey;
  try {
    survey = await surveyStore(store, task);
  } catch (error) {
    untold(error);
    return [];
  }
  const gone: Condemned[] = bad
    .filter((pack) => !survey.needed.packs.has(pack))
    .map((pack) => ({
      pack,
      users: [...new Set([...(survey.packs.get(pack)?.retired?.users ?? []), ...usersOf(survey, pack)])],
    }));
  await retirePacks(store, gone, temporary);
  const touched = new Set(defects.filter(({ kind }) => kind === 'pack-list').map(({ path }) => path.slice(10, 74)));
  for (const [digest, root] of survey.roots)
    if (!root.recorded || touched.has(digest.slice(7)) || (await listNames(store, digest, gone)))
      await writeUses(store, digest, root.uses, temporary);
  await renewMarks(store, survey, defects, temporary);
  const deleted = await deletePacks(store, gone);
  const from = [...found].map(([name, count]) => `${count} chunks from ${name}`).join(', ');
  return [...deleted].map((pack) => ({
    path: packPath(pack),
    how: from === '' ? 'removed: all that is needed lies elsewhere' : `replaced (${from})`,
  }));
}

/** Digests of all versions, as far as records or the index say them. */
async function digestsOf(store: DirectoryStore): Promise<Set<Digest>> {
  const images = await makeIndex(store, () => {});
  return new Set(images.flatMap(({ versions }) => versions.map(({ digest }) => digest as Digest)));
}

/** Whether a version's list of packs still names one that is about to go. */
async function listNames(store: DirectoryStore, digest: Digest, gone: readonly Condemned[]): Promise<boolean> {
  const packs = new Set(gone.map(({ pack }) => pack));
  return (await readPackList(store.files, digest))?.some(({ pack }) => packs.has(pack)) === true;
}

function usersOf(survey: StoreSurvey, pack: string): Digest[] {
  return [...survey.roots].filter(([, { before }]) => before?.packs.has(pack)).map(([digest]) => digest);
}

/** A mark that cannot be read names nobody; the new one names everybody, which is safe. */
async function renewMarks(
  store: DirectoryStore,
  survey: StoreSurvey,
  defects: readonly Defect[],
  temporary: string,
): Promise<void> {
  const broken = defects.filter(({ kind }) => kind === 'mark').map(({ path }) => path.slice(9, 73));
  await retirePacks(
    store,
    broken.filter((pack) => survey.packs.has(pack)).map((pack) => ({ pack, users: [...survey.roots.keys()] })),
    temporary,
  );
}
