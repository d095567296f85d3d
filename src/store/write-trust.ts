import { ImprintError } from '../foundation/errors.ts';
import type { DirectoryStore } from './directory-store.ts';
import { writeFilesDurably } from './durable.ts';
import { trustPath, trustSignaturePath } from './layout.ts';
import type { StoredTrust } from './store.ts';

/** Under the lock: shows a trust document, with its signatures. One that is there already never changes: `trust-wrong`. */
export async function writeTrust(
  store: DirectoryStore,
  version: number,
  { text, signatures }: StoredTrust,
): Promise<void> {
  const before = await store.trustDocument(version).catch(() => undefined);
  if (before !== undefined && before.text !== text)
    throw new ImprintError('trust-wrong', {
      document: trustPath(version),
      problem: 'another of this version is published already',
    });
  // The signatures come first, so that a reader who finds the document finds them as well.
  await writeFilesDurably(
    [
      { path: store.path(trustSignaturePath(version)), content: signatures },
      { path: store.path(trustPath(version)), content: text },
    ],
    store.temporary,
  );
}
