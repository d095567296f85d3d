import type { z } from 'zod';
import type { VersionListing } from '../contract/image.ts';
import type { imageShow, imageVersions } from '../contract/operations/images.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { StoredVersion } from '../store/store.ts';
import { signerIds } from '../store/trust.ts';
import type { Context } from './context.ts';

/** The versions of all images, or of one, as the store keeps them: images by name, numbers rising. */
export async function listVersions(
  context: Context,
  input: z.output<typeof imageVersions.input>,
): Promise<z.output<typeof imageVersions.output>> {
  const store = await context.store();
  const versions = await store.versions(input.image);
  if (input.image !== undefined && versions.length === 0) {
    throw new ImprintError('image-not-found', { reference: input.image, store: store.location });
  }
  return { versions: versions.map(listVersion) };
}

/** One version. */
export async function showVersion(context: Context, input: z.output<typeof imageShow.input>): Promise<VersionListing> {
  return listVersion(await (await context.store()).find(input.reference));
}

/** A version as it is listed. Whether its signature is good is for `image verify` and the imager to say. */
export function listVersion(version: StoredVersion): VersionListing {
  const signers = signerIds(version);
  const [signedBy] = signers;
  return {
    record: version.record,
    tags: version.tags,
    ...(signedBy === undefined ? {} : { signedBy }),
    ...(signers.length > 1 ? { signers } : {}),
  };
}
