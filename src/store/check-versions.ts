import type { Digest } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import { FormatError } from '../image/format-error.ts';
import type { PublicKey } from '../image/signature.ts';
import { type Defect, defectOf } from './defect.ts';
import { DirectoryStore } from './directory-store.ts';
import { makeIndex } from './index-maker.ts';
import { indexFile, recordPath, signaturePath, tagPath } from './layout.ts';
import type { ImageListing, ReadingStore } from './reading-store.ts';
import type { StoredVersion } from './store.ts';
import { fileHash, formatStoreIndex, type VersionIndex } from './store-index.ts';
import { verifyVersion } from './trust.ts';
import { readVersion } from './version-files.ts';

/**
 * Checks records, signatures, tags and the index. Notes in `users` which manifests there must be, and for which versions.
 */
export async function* checkVersions(
  store: ReadingStore,
  users: Map<Digest, string[]>,
  publicKeys: readonly PublicKey[],
): AsyncGenerator<Defect> {
  const badTags: ImprintError[] = [];
  let listings: ImageListing[] = [];
  try {
    listings = await store.images(undefined, (error) => badTags.push(error));
  } catch (error) {
    yield defectOf(error, 'index', indexFile, []);
  }
  for (const error of badTags) yield defectOf(error, 'tag', String(error.details.record), []);
  for (const listing of listings) {
    const digests = new Map<number, string>();
    for (const number of listing.versions) {
      const checked = await checkVersion(store, listing, number, publicKeys);
      yield* checked.defects;
      if (checked.digest === undefined) continue;
      digests.set(number, checked.digest);
      users.set(checked.digest, [...(users.get(checked.digest) ?? []), `${listing.name}:${number}`]);
    }
    yield* checkTags(listing, digests);
    yield* checkLost(listing, users);
  }
  if (store instanceof DirectoryStore) yield* checkIndex(store, badTags.length > 0);
}

async function checkVersion(
  store: ReadingStore,
  listing: ImageListing,
  number: number,
  publicKeys: readonly PublicKey[],
): Promise<{ defects: Defect[]; digest?: Digest }> {
  const { name } = listing;
  const index = listing.index.get(number);
  const affects = [`${name}:${number}`];
  try {
    const version = await readVersion(store.files, name, number, [], index);
    if (version === undefined) {
      const missing = { code: 'corrupt-record' as const, problem: 'it is missing', affects };
      return { defects: [{ kind: 'record', path: recordPath(name, number), ...missing }] };
    }
    const defects = await checkSignature(store, version, index, publicKeys);
    return { defects, digest: version.record.digest as Digest };
  } catch (error) {
    const path = error instanceof ImprintError ? String(error.details.record) : '';
    const kind = path === signaturePath(name, number) ? 'signature' : 'record';
    const defects = [
      (await indexIsWrong(store, name, number, publicKeys))
        ? {
            ...defectOf(error, 'index', indexFile, affects),
            problem: `its checksum of ${recordPath(name, number)} is wrong`,
          }
        : defectOf(error, kind, path, affects),
    ];
    // Its content can still be checked where the index says what it is.
    return index === undefined ? { defects } : { defects, digest: index.digest as Digest };
  }
}

/** Where record and index disagree, a good signature says that the record is right. */
async function indexIsWrong(
  store: ReadingStore,
  name: string,
  number: number,
  publicKeys: readonly PublicKey[],
): Promise<boolean> {
  try {
    const version = await readVersion(store.files, name, number, []);
    return version !== undefined && verifyVersion(version, publicKeys) !== undefined;
  } catch (error) {
    defectOf(error, 'record', '', []);
    return false;
  }
}

async function checkSignature(
  { files }: ReadingStore,
  version: StoredVersion,
  index: VersionIndex | undefined,
  publicKeys: readonly PublicKey[],
): Promise<Defect[]> {
  const { image, number } = version.record;
  const path = signaturePath(image, number);
  const affects = [`${image}:${number}`];
  const defect = (problem: string): Defect[] => [
    { kind: 'signature', path, code: 'signature-wrong', problem, affects },
  ];
  if (version.signature === undefined) return index?.signature === undefined ? [] : defect('it is missing');
  if (publicKeys.length > 0) {
    try {
      verifyVersion(version, publicKeys);
    } catch (error) {
      return [defectOf(error, 'signature', path, affects)];
    }
  }
  const bytes = await files.read(path, 1 << 16);
  if (index === undefined || (bytes !== undefined && index.signature === fileHash(bytes))) return [];
  return defect('it does not match its checksum in index.json');
}

function* checkTags(listing: ImageListing, digests: ReadonlyMap<number, string>): Generator<Defect> {
  for (const [tag, target] of listing.tags) {
    const digest = digests.get(target.number);
    // A version whose record cannot be read was named already.
    if (digest === target.digest || (digest === undefined && listing.versions.includes(target.number))) continue;
    const problem = `it points at version ${target.number} with ${target.digest}, which is not there`;
    yield { kind: 'tag', path: tagPath(listing.name, tag), code: 'corrupt-record', problem, affects: [] };
  }
}

/** Records and tags that the index has, but that are not there. */
function* checkLost({ name, lost }: ImageListing, users: Map<Digest, string[]>): Generator<Defect> {
  const problem = 'it is missing';
  for (const { number, digest } of lost?.versions ?? []) {
    const affects = [`${name}:${number}`];
    yield { kind: 'record', path: recordPath(name, number), code: 'corrupt-record', problem, affects };
    users.set(digest as Digest, [...(users.get(digest as Digest) ?? []), ...affects]);
  }
  for (const tag of lost?.tags.keys() ?? [])
    yield { kind: 'tag', path: tagPath(name, tag), code: 'corrupt-record', problem, affects: [] };
}

async function* checkIndex(store: DirectoryStore, badTags: boolean): AsyncGenerator<Defect> {
  // One that the disk cannot read counts as empty.
  const bytes = await store.files.read(indexFile, 1 << 30).catch((error: unknown) => {
    if (error instanceof FormatError) return Buffer.alloc(0);
    throw error;
  });
  const images = await makeIndex(store, () => {});
  if (bytes === undefined ? images.length === 0 : bytes.toString('utf8') === formatStoreIndex(images)) return;
  // A tag that cannot be read is missing from what we made.
  if (badTags) return;
  const problem = bytes === undefined ? 'it is missing' : 'it does not say what the store holds';
  yield { kind: 'index', path: indexFile, code: 'corrupt-record', problem, affects: [] };
}
