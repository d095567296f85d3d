import type { LiveSource } from '../../contract/image.ts';
import { rootSpace } from '../../planning/install-space.ts';
import type { Context } from '../context.ts';
import { type BuiltVersion, resolveLiveSource } from './built-versions.ts';

/**
 * The file system from which a version starts live, before anything is made for it: `web.live-xfs:2` with its reference. What starts asks for just this size. Errors: `image-not-found`,
 * `live-source-missing` with what makes one, what a guard refuses.
 */
export async function liveSourceOf(
  context: Pick<Context, 'store'>,
  reference: string,
  fileSystem: LiveSource['fileSystem'],
): Promise<{ built: BuiltVersion; reference: string }> {
  const store = await context.store();
  const { record } = await store.find(reference);
  const built = await resolveLiveSource(store, record, fileSystem, rootSpace(record.stats));
  return { built, reference: `${built.record.image}:${built.record.number}` };
}
