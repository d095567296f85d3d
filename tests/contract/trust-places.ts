import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { versionRecordSchema } from '../../src/contract/image.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { trustPath, trustSignaturePath } from '../../src/store/layout.ts';
import type { StoredVersion } from '../../src/store/store.ts';
import type { Evidence, TrustMemory } from '../../src/store/version-guard.ts';
import type { TrustCase } from './trust-vectors.ts';

/** A store that holds what a case says, and nothing else: no content is needed to trust or not. */
export async function storeOf(directory: string, { documents, versions }: TrustCase): Promise<DirectoryStore> {
  const store = await DirectoryStore.open(directory, { create: true });
  await mkdir(join(directory, 'images/web'), { recursive: true });
  await mkdir(join(directory, 'trust'), { recursive: true });
  for (const [index, { record, signatures }] of versions.entries()) {
    const path = join(directory, 'images/web', `${index + 1}.json`);
    await writeFile(path, record);
    if (signatures !== undefined) await writeFile(`${path}.minisig`, signatures);
  }
  for (const [index, { text, signatures }] of documents.entries()) {
    await writeFile(join(directory, trustPath(index + 1)), text);
    await writeFile(join(directory, trustSignaturePath(index + 1)), signatures);
  }
  return store;
}

/** A version from its texts. */
export function versionOf({ record, signatures }: { record: string; signatures: string }): StoredVersion {
  return { record: versionRecordSchema.parse(JSON.parse(record)), recordText: record, signature: signatures, tags: [] };
}

/** A memory that knows one thing and learns nothing. */
export function memoryOf(seen: Evidence | undefined): TrustMemory {
  return {
    document: async () => undefined,
    keepDocument: async () => {},
    seen: async () => seen,
    keepSeen: async () => {},
  };
}
