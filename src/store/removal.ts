import { existsSync } from 'node:fs';
import type { Digest } from '../foundation/brand.ts';
import { Task } from '../foundation/task.ts';
import { parseReference } from '../image/reference.ts';
import { bitAt } from './chunk-uses.ts';
import type { DirectoryStore } from './directory-store.ts';
import { removeDurably, renameDurably, writeFileDurably } from './durable.ts';
import { recordPath, signaturePath, tagPath, tombstonePath } from './layout.ts';
import { clearManifests } from './manifest-clearing.ts';
import { storedLength } from './pack-chunks.ts';
import { type Condemned, deletePacks, retirePacks } from './pack-deletion.ts';
import { readPackList, readPackTable } from './pack-tables.ts';
import type { StoredVersion } from './store.ts';
import { readUses, type StoreSurvey, untold } from './store-survey.ts';
import type { RemovalReport } from './transaction.ts';

/**
 * Removes versions, under the lock: the record goes first, so that at every instant a version is there whole or not at all.
 * Then its manifest, if no other version has the same and nobody reads it, and those of its packs that nothing else needs: at once, or, with a
 * grace period, by a later collection. Where what is needed cannot be told (another manifest is damaged) all packs stay.
 */
export async function removeVersions(
  store: DirectoryStore,
  references: readonly string[],
  options: { grace: number; damaged?: boolean; temporary?: string },
): Promise<RemovalReport> {
  const chosen = new Map<string, Doomed>();
  for (const reference of references)
    for (const each of await find(store, reference, options.damaged === true))
      chosen.set(`${each.image}:${each.number}`, each);
  const doomed = [...chosen.values()];
  const digests = new Set(doomed.flatMap(({ digest }) => digest ?? []));
  const packs = await packsOf(store, digests);
  for (const each of doomed) await removeVersion(store, each);
  const report = await removeContent(store, packs, options);
  // Last, for on a full disk there is room for it only now.
  await store.writeIndex();
  return { removed: doomed.flatMap(({ version }) => version ?? []), ...report };
}

/** A version that is to go; without `version` where its record is lost or cannot be read. */
interface Doomed {
  image: string;
  number: number;
  tags: readonly string[];
  digest?: Digest;
  version?: StoredVersion;
}

async function find(store: DirectoryStore, reference: string, damaged: boolean): Promise<Doomed[]> {
  const image = /^([^:@]+):\*$/.exec(reference)?.[1];
  if (image !== undefined && parseReference(image).kind === 'newest') return (await store.versions(image)).map(doom);
  try {
    return [doom(await store.find(reference))];
  } catch (error) {
    const parsed = parseReference(reference);
    if (!damaged || parsed.kind !== 'number') throw error;
    const found = await findDamaged(store, parsed.image, parsed.number);
    if (found === undefined) throw error;
    return [found];
  }
}

function doom(version: StoredVersion): Doomed {
  const { image, number, digest } = version.record;
  return { image, number, tags: version.tags, digest: digest as Digest, version };
}

/** A version whose record is lost or damaged, with what the index says of it. */
async function findDamaged(store: DirectoryStore, image: string, number: number): Promise<Doomed | undefined> {
  const [listing] = await store.images(image, () => {});
  const known = listing?.index.get(number);
  if (!listing?.versions.includes(number) && !listing?.lost?.versions.some((lost) => lost.number === number)) return;
  const tags = [...listing.tags].filter(([, target]) => target.number === number).map(([tag]) => tag);
  return { image, number, tags, ...(known && { digest: known.digest as Digest }) };
}

async function removeVersion(store: DirectoryStore, { image, number, tags }: Doomed): Promise<void> {
  const [record, mark] = [recordPath(image, number), tombstonePath(image, number)].map((path) => store.path(path)) as [
    string,
    string,
  ];
  // The record becomes the mark that its number was used: one rename, which needs no room on the disk. It is not emptied here: who has just opened
  // it shall read it whole. A collection does that.
  if (existsSync(record)) await renameDurably(record, mark);
  else await writeFileDurably(mark, '', store.temporary);
  await removeDurably(store.path(signaturePath(image, number)));
  // A tag of a version that was removed counts for nothing.
  for (const tag of tags) await removeDurably(store.path(tagPath(image, tag)));
}

async function removeContent(
  store: DirectoryStore,
  packs: ReadonlySet<string>,
  { grace, temporary = store.temporary }: { grace: number; temporary?: string },
): Promise<Omit<RemovalReport, 'removed'>> {
  const report = { packsDeleted: 0, bytesFreed: 0, bytesWaiting: 0, bytesUnreferenced: 0 };
  let survey: StoreSurvey;
  try {
    ({ survey } = await clearManifests(store, Task.silent()));
  } catch (error) {
    untold(error);
    return report;
  }
  const free: Condemned[] = [];
  for (const pack of packs) {
    const state = survey.packs.get(pack);
    if (state === undefined) continue;
    if (isNeeded(survey, pack)) report.bytesUnreferenced += await unreferenced(store, survey, pack);
    else free.push({ pack, users: state.retired?.users ?? (state.markBroken ? [...survey.roots.keys()] : []) });
  }
  const bytesOf = (pack: string) => survey.packs.get(pack)?.bytes ?? 0;
  if (grace > 0)
    await retirePacks(
      store,
      free.filter(({ pack }) => survey.packs.get(pack)?.retired === undefined),
      temporary,
    );
  const gone = grace > 0 ? new Set<string>() : await deletePacks(store, free);
  for (const { pack } of free) {
    report.packsDeleted += gone.has(pack) ? 1 : 0;
    report[gone.has(pack) ? 'bytesFreed' : 'bytesWaiting'] += bytesOf(pack);
  }
  // What only a reader still needs goes when it is done.
  const versions = new Set([...survey.roots].filter(([digest]) => !survey.leased.has(digest)));
  for (const pack of packs)
    if (isNeeded(survey, pack) && ![...versions].some(([, { uses }]) => uses.packs.has(pack)))
      report.bytesWaiting += bytesOf(pack);
  return report;
}

/** The packs of some versions. */
async function packsOf(store: DirectoryStore, digests: ReadonlySet<Digest>): Promise<Set<string>> {
  const packs = new Set<string>();
  for (const digest of digests) {
    for (const { pack } of (await readPackList(store.files, digest)) ?? []) packs.add(pack);
    for (const pack of (await readUses(store, digest))?.packs.keys() ?? []) packs.add(pack);
  }
  return packs;
}

/** What an older use file named counts as well here: only a collection may move a version from one pack to another. */
function isNeeded(survey: StoreSurvey, pack: string): boolean {
  if (survey.needed.packs.has(pack)) return true;
  for (const { before } of survey.roots.values()) if (before?.packs.has(pack)) return true;
  return false;
}

/** Stored bytes of a pack's chunks that nobody needs. */
async function unreferenced(store: DirectoryStore, survey: StoreSurvey, pack: string): Promise<number> {
  const result = await readPackTable(store.files, { pack });
  if ('error' in result) return 0;
  const use = survey.needed.packs.get(pack);
  let bytes = 0;
  for (let chunk = 0; chunk < result.table.chunks; chunk += 1)
    if (!bitAt(use, chunk)) bytes += storedLength(result.table, chunk);
  return bytes;
}
