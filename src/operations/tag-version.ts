import type { z } from 'zod';
import type { VersionListing } from '../contract/image.ts';
import type { imageTag } from '../contract/operations/images.ts';
import { changeStore } from './change-store.ts';
import type { Context } from './context.ts';
import { listVersion } from './list-versions.ts';

/** Lets a tag point at a version, or takes it away from its image. Answers with the version that is named. */
export async function tagVersion(context: Context, input: z.output<typeof imageTag.input>): Promise<VersionListing> {
  return changeStore(context, async (store) => {
    if (!input.remove) return listVersion(await store.setTag(input.reference, input.tag));
    const { record } = await store.find(input.reference);
    await store.removeTag(record.image, input.tag);
    return listVersion(await store.find(`${record.image}:${record.number}`));
  });
}
