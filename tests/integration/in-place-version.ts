import type { Digest } from '../../src/foundation/brand.ts';
import { Task } from '../../src/foundation/task.ts';
import type { InPlacePlan } from '../../src/operations/update/in-place/in-place-plan.ts';
import { planInPlace } from '../../src/operations/update/in-place/plan-in-place.ts';
import type { UpdateContent } from '../../src/operations/update/update-content.ts';
import type { DriftMode } from '../../src/planning/choose-change.ts';
import type { DirectoryStore } from '../../src/store/directory-store.ts';
import { manifestPath } from '../../src/store/layout.ts';
import { versionRecord } from '../version-record.ts';
import { versionContent } from './version-content.ts';

/** A version of a store, as an update has it when all of it was fetched. */
export async function fetchedVersion(store: DirectoryStore, digest: Digest, number: number): Promise<UpdateContent> {
  const { entries, content } = await versionContent(store, digest);
  const record = versionRecord({ image: 'test', number, digest });
  return {
    record,
    recordText: JSON.stringify(record),
    digest,
    manifestFile: store.path(manifestPath(digest)),
    entries,
    content,
    transferred: { bytes: 0, requests: 0 },
    async [Symbol.asyncDispose]() {},
  };
}

/** The plan by which a root that was made from `from` becomes `to`. */
export function planFor(
  root: string,
  from: UpdateContent,
  to: UpdateContent,
  options: { drift?: DriftMode; keep?: string[] } = {},
): Promise<InPlacePlan> {
  const base = { digest: from.digest, manifestFile: from.manifestFile, root };
  return planInPlace({ content: to, base, drift: 'merge', ...options }, Task.silent());
}
