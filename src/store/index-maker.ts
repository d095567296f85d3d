import { versionRecordSchema } from '../contract/image.ts';
import type { ImprintError } from '../foundation/errors.ts';
import { parseCanonicalJson } from '../image/canonical-json.ts';
import { FormatError } from '../image/format-error.ts';
import { recordPath, signaturePath } from './layout.ts';
import type { ImageListing, ReadingStore } from './reading-store.ts';
import { fileHash, type ImageIndex, type VersionIndex } from './store-index.ts';

/**
 * What `index.json` must say of a store, made from its records. A record that no longer matches the checksum it had keeps
 * that checksum: the index must not vouch for a damaged file. What is lost stays in it, so that it is not forgotten. Tags that cannot be read go to `tolerate`.
 */
export async function makeIndex(store: ReadingStore, tolerate?: (error: ImprintError) => void): Promise<ImageIndex[]> {
  const images: ImageIndex[] = [];
  for (const listing of await store.images(undefined, tolerate)) {
    const lines = await Promise.all(listing.versions.map((number) => versionLine(store, listing, number)));
    const found = [...lines.filter((line) => line !== undefined), ...(listing.lost?.versions ?? [])];
    const tags = Object.fromEntries([...listing.tags].map(([tag, target]) => [tag, target.number]));
    images.push({
      name: listing.name,
      versions: found.toSorted((left, right) => left.number - right.number),
      tags: { ...Object.fromEntries(listing.lost?.tags ?? []), ...tags },
    });
  }
  return images;
}

/** The index as it will be when a version has appeared and tags of its image have moved. */
export function indexWith(
  images: readonly ImageIndex[],
  image: string,
  change: { version?: VersionIndex; tags: Record<string, number> },
): ImageIndex[] {
  const before = images.find(({ name }) => name === image) ?? { name: image, versions: [], tags: {} };
  const after = {
    ...before,
    versions: change.version === undefined ? before.versions : [...before.versions, change.version],
    tags: { ...before.tags, ...change.tags },
  };
  return [...images.filter(({ name }) => name !== image), after].toSorted((left, right) =>
    left.name < right.name ? -1 : 1,
  );
}

async function versionLine(
  { files }: ReadingStore,
  listing: ImageListing,
  number: number,
): Promise<VersionIndex | undefined> {
  const known = listing.index.get(number);
  const bytes = await readable(files.read(recordPath(listing.name, number), 64 << 20));
  if (bytes === undefined || (known !== undefined && known.record !== fileHash(bytes))) return known;
  const digest = digestOf(bytes);
  if (digest === undefined) return undefined;
  const signature = await readable(files.read(signaturePath(listing.name, number), 1 << 16));
  return {
    number,
    digest,
    record: fileHash(bytes),
    ...(signature === undefined ? {} : { signature: fileHash(signature) }),
  };
}

/** What was read; undefined where the disk has lost it. */
async function readable(reading: Promise<Buffer | undefined>): Promise<Buffer | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

function digestOf(bytes: Buffer): string | undefined {
  try {
    return versionRecordSchema.parse(parseCanonicalJson(bytes)).digest;
  } catch {
    return undefined;
  }
}
