import type { z } from 'zod';
import type { VersionListing, VersionRecord } from '../contract/image.ts';
import type { imageTag } from '../contract/operations/images.ts';
import { ImprintError } from '../foundation/errors.ts';
import { parseReference } from '../image/reference.ts';
import type { Store } from '../store/store.ts';
import { changeStore } from './change-store.ts';
import type { Context } from './context.ts';
import { listVersion } from './list-versions.ts';

/** Lets a tag point at a version, or takes it away from its image. Answers with the version that is named. */
export async function tagVersion(context: Context, input: z.output<typeof imageTag.input>): Promise<VersionListing> {
  return changeStore(context, async (store) => {
    if (!input.remove) return listVersion(await store.setTag(input.reference, input.tag));
    const { record } = await store.find(input.reference);
    await requireSame(store, input.reference, record, input.tag);
    await store.removeTag(record.image, input.tag);
    return listVersion(await store.find(`${record.image}:${record.number}`));
  });
}

/** Where exactly one version was named, the tag must be on that one: another's is not taken away by mistake. */
async function requireSame(store: Store, reference: string, { image, number }: VersionRecord, tag: string) {
  if (parseReference(reference).kind === 'newest') return;
  const tagged = (await store.find(`${image}:${tag}`)).record.number;
  if (tagged === number) return;
  const problem = `${image}:${tag} is version ${tagged}, not ${number}`;
  throw new ImprintError('input-invalid', { field: `reference “${reference}”`, problem });
}
