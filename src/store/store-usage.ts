import type { Digest } from '../foundation/brand.ts';
import type { Task } from '../foundation/task.ts';
import { bitAt } from './chunk-uses.ts';
import type { DirectoryStore } from './directory-store.ts';
import { storedLength } from './pack-chunks.ts';
import { readPackTable } from './pack-tables.ts';
import { surveyStore } from './store-survey.ts';

/** What one version takes of a store. */
export interface VersionShare {
  digest: Digest;
  /** Of chunks that no version before it in the list needs: their lengths, and what they take in their packs. */
  addedBytes: number;
  addedStoredBytes: number;
  /** What chunks take that no other digest of the list needs. */
  ownStoredBytes: number;
}

export interface StoreUsage {
  /** Of all different chunks that are needed. */
  uniqueBytes: number;
  storedBytes: number;
  packs: number;
  packBytes: number;
  /** In the order of the digests given; of two alike the first has all. */
  shares: VersionShare[];
}

/** What each of some versions adds to those before it, from their use files and the tables of packs. Needs no lock. */
export async function measureUsage(store: DirectoryStore, digests: readonly Digest[], task: Task): Promise<StoreUsage> {
  const survey = await surveyStore(store, task);
  const shares = digests.map((digest) => ({ digest, addedBytes: 0, addedStoredBytes: 0, ownStoredBytes: 0 }));
  const first = new Map(digests.toReversed().map((digest) => [digest, digests.indexOf(digest)]));
  const users = [...first].toSorted(([, left], [, right]) => left - right);
  const usage: StoreUsage = { uniqueBytes: 0, storedBytes: 0, packs: 0, packBytes: 0, shares };
  for (const [pack, { bytes }] of survey.packs) {
    usage.packs += 1;
    usage.packBytes += bytes;
    const uses = users.flatMap(([digest, index]) => {
      const use = survey.roots.get(digest)?.uses.packs.get(pack);
      return use === undefined ? [] : [{ use, index }];
    });
    if (uses.length === 0) continue;
    task.signal.throwIfAborted();
    const result = await readPackTable(store.files, { pack });
    if ('error' in result) continue;
    const { table } = result;
    for (let chunk = 0; chunk < table.chunks; chunk += 1) {
      const having = uses.filter(({ use }) => bitAt(use, chunk));
      const share = shares[having[0]?.index ?? -1];
      if (share === undefined) continue;
      const stored = storedLength(table, chunk);
      const length = table.chunkLength[chunk] as number;
      usage.uniqueBytes += length;
      usage.storedBytes += stored;
      share.addedBytes += length;
      share.addedStoredBytes += stored;
      if (having.length === 1) share.ownStoredBytes += stored;
    }
  }
  return usage;
}
