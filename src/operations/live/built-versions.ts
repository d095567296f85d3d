import { imageNameSchema, type LiveSource } from '../../contract/image.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Store, StoredVersion } from '../../store/store.ts';

/** A version that holds no tree, but a file system that was made of one. */
export type BuiltVersion = StoredVersion & { record: { live: LiveSource } };

/** Of a version what its file systems are found by. */
export type SourceVersion = Pick<StoredVersion['record'], 'image' | 'digest'>;

/** The image whose versions are an image's versions as a file system: `web.live-xfs`. */
export function liveImage(image: string, fileSystem: LiveSource['fileSystem']): string {
  const name = `${image}.live-${fileSystem}`;
  if (imageNameSchema.safeParse(name).success) return name;
  throw new ImprintError('input-invalid', { field: 'image', problem: `“${name}” would be too long a name` });
}

/** All file systems that were made of a version, the newest last. Errors: those of `Store.versions`. */
export async function liveVersionsOf(
  store: Pick<Store, 'versions'>,
  { image, digest }: SourceVersion,
  fileSystem: LiveSource['fileSystem'],
): Promise<BuiltVersion[]> {
  try {
    const versions = await store.versions(liveImage(image, fileSystem));
    return versions.filter(isBuilt).filter(({ record: { live } }) => {
      return live.image === image && live.digest === digest && live.fileSystem === fileSystem;
    });
  } catch (error) {
    if (error instanceof ImprintError && error.code === 'image-not-found') return [];
    throw error;
  }
}

/**
 * The file system of a version that a machine may start from: the newest of at most `size` bytes that was made, trusted as every version is, and
 * signed to be of this very version. Errors: `live-source-missing`, those of `Store.resolve`.
 */
export async function resolveLiveSource(
  store: Store,
  version: SourceVersion,
  fileSystem: LiveSource['fileSystem'],
  size = Number.POSITIVE_INFINITY,
): Promise<BuiltVersion> {
  const made = await liveVersionsOf(store, version, fileSystem);
  const newest = made.findLast(({ record: { live } }) => live.size <= size);
  if (newest !== undefined) {
    const { image, number } = newest.record;
    const trusted = await store.resolve(`${image}:${number}`);
    // What was looked at before was not verified yet.
    if (isBuilt(trusted) && trusted.recordText === newest.recordText) return trusted;
  }
  const reference = `${version.image}@${version.digest}`;
  throw new ImprintError('live-source-missing', { reference, fileSystem, store: store.location });
}

/**
 * Which file systems were made of versions that are gone once those that are named have gone: `web.live-xfs:1`. Two versions of an image may be
 * one and the same tree.
 */
export function leftAlone(versions: readonly StoredVersion[], removed: readonly string[]): string[] {
  const gone = new Set(removed);
  const nameOf = ({ record }: StoredVersion) => `${record.image}:${record.number}`;
  const staying = versions.filter((version) => !gone.has(nameOf(version)));
  const trees = new Set(staying.map(({ record }) => `${record.image}@${record.digest}`));
  return staying
    .filter(isBuilt)
    .filter(({ record: { live } }) => !trees.has(`${live.image}@${live.digest}`))
    .map(nameOf);
}

export function isBuilt(version: StoredVersion): version is BuiltVersion {
  return version.record.live !== undefined;
}
