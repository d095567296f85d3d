import type { z } from 'zod';
import { builtFileSystems, type VersionListing } from '../contract/image.ts';
import type { imageShow, imageVersions } from '../contract/operations/images.ts';
import { ImprintError } from '../foundation/errors.ts';
import { floorOf } from '../image/accept-version.ts';
import type { StoredVersion } from '../store/store.ts';
import { signerIds } from '../store/trust.ts';
import type { Context } from './context.ts';
import { isBuilt, liveVersionsOf } from './live/built-versions.ts';

/** The versions of all images but those that are file systems for live systems, or of one that is named, as the store keeps them: images by name, numbers rising. */
export async function listVersions(
  context: Context,
  input: z.output<typeof imageVersions.input>,
): Promise<z.output<typeof imageVersions.output>> {
  const store = await context.store();
  const versions = await store.versions(input.image);
  if (input.image !== undefined && versions.length === 0) {
    throw new ImprintError('image-not-found', { reference: input.image, store: store.location });
  }
  const floors = floorsOf(versions);
  const shown = input.image === undefined ? versions.filter((version) => !isBuilt(version)) : versions;
  return { versions: shown.map((version) => listVersion(version, floors.get(version.record.image))) };
}

/** One version. */
export async function showVersion(context: Context, input: z.output<typeof imageShow.input>): Promise<VersionListing> {
  const store = await context.store();
  const version = await store.find(input.reference);
  const { record } = version;
  const listing = listVersion(version, floorsOf(await store.versions(record.image)).get(record.image));
  const built = await Promise.all(builtFileSystems.map((fileSystem) => liveVersionsOf(store, record, fileSystem)));
  const liveSources = built.flat().map(({ record: { image, number } }) => `${image}:${number}`);
  return { ...listing, ...(liveSources.length === 0 ? {} : { liveSources }) };
}

/** The highest floor that any version of each image names. */
function floorsOf(versions: readonly StoredVersion[]): Map<string, number> {
  const floors = new Map<string, number>();
  for (const { record } of versions) floors.set(record.image, Math.max(floors.get(record.image) ?? 1, floorOf(record)));
  return floors;
}

/** A version as it is listed. Whether its signature is good is for `image verify` and the imager to say. */
export function listVersion(version: StoredVersion, floor = 1): VersionListing {
  const signers = signerIds(version);
  const [signedBy] = signers;
  return {
    record: version.record,
    tags: version.tags,
    ...(signedBy === undefined ? {} : { signedBy }),
    ...(signers.length > 1 ? { signers } : {}),
    ...(version.record.number < floor ? { withdrawn: true } : {}),
  };
}
