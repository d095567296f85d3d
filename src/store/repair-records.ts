import type { Digest } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import { FormatError } from '../image/format-error.ts';
import type { PublicKey } from '../image/signature.ts';
import type { Defect } from './defect.ts';
import type { DirectoryStore } from './directory-store.ts';
import { removeDurably, writeFileDurably } from './durable.ts';
import { indexFile, manifestPath, recordPath, signaturePath } from './layout.ts';
import { readManifest } from './manifest-reader.ts';
import type { ReadingStore } from './reading-store.ts';
import { repairTrust } from './repair-trust.ts';
import { fileHash, parseStoreIndex, type StoreIndex } from './store-index.ts';
import { verifyVersion } from './trust.ts';
import { formatTag, readVersion } from './version-files.ts';

/** One thing that was put right: the file, and how. */
export interface Repair {
  path: string;
  how: string;
}

interface Mending {
  store: DirectoryStore;
  stores: readonly ReadingStore[];
  publicKeys: readonly PublicKey[];
  temporary: string;
}

/**
 * Puts records, signatures, tags, manifests and trust documents right, from other stores and from what the index says. A record is taken over where the
 * index has its checksum, or a key that is trusted has signed it.
 */
export async function repairRecords(mending: Mending, defects: readonly Defect[]): Promise<Repair[]> {
  const index = await readIndex(mending.store);
  const repairs: Repair[] = [];
  for (const { kind, path } of defects) {
    if (kind === 'record' || kind === 'signature') {
      const [, image = '', number = ''] = /^images\/([^/]+)\/(\d+)\.json/.exec(path) ?? [];
      const how = await repairVersion(mending, image, Number(number), index);
      if (how !== undefined) repairs.push({ path, how });
    }
    if (kind === 'manifest') {
      const how = await repairManifest(mending, path);
      if (how !== undefined) repairs.push({ path, how });
    }
  }
  for (const { kind, path } of defects) {
    if (kind !== 'trust') continue;
    const { store, stores, publicKeys, temporary } = mending;
    const how = await repairTrust(store, stores, publicKeys, temporary, path);
    if (how !== undefined) repairs.push({ path, how });
  }
  for (const { kind, path } of defects) {
    if (kind !== 'tag') continue;
    const how = await repairTag(mending, path, index);
    if (how !== undefined) repairs.push({ path, how });
  }
  return repairs;
}

/** Makes the index anew. Checksums of records that are wrong are forgotten only where nothing is wrong with any record. */
export async function repairIndex(store: DirectoryStore, recordsAreWhole: boolean): Promise<void> {
  if (recordsAreWhole) await removeDurably(store.path(indexFile));
  await store.writeIndex();
}

async function repairVersion(
  { store, stores, publicKeys, temporary }: Mending,
  image: string,
  number: number,
  index: StoreIndex | undefined,
): Promise<string | undefined> {
  const known = index?.images.find(({ name }) => name === image)?.versions.find((each) => each.number === number);
  for (const other of stores) {
    const record = await other.files.read(recordPath(image, number), 64 << 20);
    const signature = await other.files.read(signaturePath(image, number), 1 << 20);
    if (record === undefined) continue;
    const version = await readVersion(other.files, image, number, []).catch(tolerated);
    if (version === undefined) continue;
    const signed = signature !== undefined && isSigned(version, publicKeys);
    const sameRecord = known?.record === fileHash(record);
    const sameSignature = known?.signature === (signature && fileHash(signature));
    if (!signed && !(sameRecord && sameSignature)) continue;
    if (signature !== undefined) await writeFileDurably(store.path(signaturePath(image, number)), signature, temporary);
    await writeFileDurably(store.path(recordPath(image, number)), record, temporary);
    return `taken from ${other.location}`;
  }
  return undefined;
}

function isSigned(version: Parameters<typeof verifyVersion>[0], publicKeys: readonly PublicKey[]): boolean {
  try {
    return publicKeys.length > 0 && verifyVersion(version, publicKeys) !== undefined;
  } catch (error) {
    tolerated(error);
    return false;
  }
}

async function repairManifest({ store, stores, temporary }: Mending, path: string): Promise<string | undefined> {
  const digest = `sha256:${/([0-9a-f]{64})\.manifest$/.exec(path)?.[1] ?? ''}` as Digest;
  for (const other of stores) {
    try {
      for await (const _ of readManifest(other.files, digest)) {
        // Read to its end: that verifies it.
      }
      const bytes = await other.files.read(manifestPath(digest), 2 ** 30);
      if (bytes === undefined) continue;
      await writeFileDurably(store.path(manifestPath(digest)), bytes, temporary);
      return `taken from ${other.location}`;
    } catch (error) {
      tolerated(error);
    }
  }
  return undefined;
}

/** From the index; a tag that points at nothing, or of which nobody knows where it pointed, goes. */
async function repairTag(
  { store, temporary }: Mending,
  path: string,
  index: StoreIndex | undefined,
): Promise<string | undefined> {
  const [, image = '', tag = ''] = /^images\/([^/]+)\/tags\/(.+)$/.exec(path) ?? [];
  const number = index?.images.find(({ name }) => name === image)?.tags[tag];
  const version = number === undefined ? undefined : await readVersion(store.files, image, number, []).catch(tolerated);
  if (version === undefined) {
    await removeDurably(store.path(path));
    return 'removed: it pointed at nothing';
  }
  const content = formatTag({ number: version.record.number, digest: version.record.digest as Digest });
  await writeFileDurably(store.path(path), content, temporary);
  return 'made again from index.json';
}

async function readIndex(store: DirectoryStore): Promise<StoreIndex | undefined> {
  const bytes = await store.files.read(indexFile, 1 << 30);
  try {
    return bytes === undefined ? undefined : parseStoreIndex(bytes);
  } catch (error) {
    return tolerated(error);
  }
}

/** What is wrong with one source is no reason to stop. */
function tolerated(error: unknown): undefined {
  if (error instanceof FormatError || (error instanceof ImprintError && [3, 5].includes(error.exitStatus))) return;
  throw error;
}
