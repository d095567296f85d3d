import type { Digest } from '../foundation/brand.ts';
import type { Task } from '../foundation/task.ts';
import type { DirectoryStore } from './directory-store.ts';
import { removeDurably } from './durable.ts';
import { hintsPath, manifestPath, packListPath, usesPath } from './layout.ts';
import { holdManifest } from './lease.ts';
import { type StoreSurvey, surveyStore } from './store-survey.ts';

/**
 * Deletes manifests that no version names and nobody leases, under the store's lock, and surveys what is left: in it every manifest that is there is a root,
 * so that a reader who comes from now on, to whichever manifest it is, finds what it needs. One that is leased between look and deletion is looked at anew.
 */
export async function clearManifests(
  store: DirectoryStore,
  task: Task,
): Promise<{ survey: StoreSurvey; deleted: number }> {
  for (let deleted = 0; ; ) {
    const survey = await surveyStore(store, task);
    const gone = await deleteManifests(store, survey.orphans);
    deleted += gone;
    if (gone === survey.orphans.length) return { survey: { ...survey, orphans: [] }, deleted };
  }
}

/** The manifest goes first, so that none is ever there without its packs. */
async function deleteManifests(store: DirectoryStore, digests: readonly Digest[]): Promise<number> {
  let gone = 0;
  for (const digest of digests) {
    const hold = await holdManifest(store.path(manifestPath(digest)));
    if (hold === 'leased') continue;
    try {
      await removeDurably(...[manifestPath(digest), packListPath(digest)].map((path) => store.path(path)));
      await removeDurably(store.path(usesPath(digest)));
      await removeDurably(store.path(hintsPath(digest)));
      gone += 1;
    } finally {
      hold?.[Symbol.dispose]();
    }
  }
  return gone;
}
