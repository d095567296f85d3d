import type { Store } from '../../store/store.ts';
import { formatEvidence, memoryName } from '../../store/trust-memory.ts';
import { createGuard, currentTrust, type VersionGuard } from '../../store/version-guard.ts';
import type { Context } from '../context.ts';
import { guardOptions, requireTrust } from './find-guard.ts';

/**
 * Files of the imager's `/etc/imprint/trust`: the newest trust document, and what this server has seen of each image. None where there
 * is no document, but the server's key alone.
 */
export async function trustForImager(context: Context): Promise<Record<string, string>> {
  const trust = await requireTrust(context);
  const store = await context.store().catch(() => undefined);
  if (store === undefined) return trust.start.version === 0 ? {} : { pinned: trust.start.text };
  const document = await currentTrust(guardOptions(context, trust), store);
  if (document.version === 0) return {};
  await lookAtAll(context, store, createGuard(guardOptions(context, trust)));
  const files: Record<string, string> = { pinned: document.text };
  for (const evidence of await trust.memory.allSeen())
    files[`${memoryName(document)}/seen/${evidence.record.image}.json`] = formatEvidence(evidence);
  return files;
}

/** Makes sure that the newest of every image was seen. */
async function lookAtAll(context: Context, store: Store, guard: VersionGuard): Promise<void> {
  const newest = new Map((await store.versions()).map((version) => [version.record.image, version]));
  for (const version of newest.values()) {
    await guard.check(version, 'use', store).catch((error) => {
      context.log.debug({ err: error }, 'the newest version of an image is not fit for use');
    });
  }
}
