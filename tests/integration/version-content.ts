import { join } from 'node:path';
import { type Digest, rawPath } from '../../src/foundation/brand.ts';
import { Task } from '../../src/foundation/task.ts';
import { ChunkContents } from '../../src/operations/chunk-contents.ts';
import type { UpdateContent } from '../../src/operations/update/update-content.ts';
import type { DirectoryStore } from '../../src/store/directory-store.ts';
import { manifestPath } from '../../src/store/layout.ts';
import { captureDirectory } from '../../src/tree/capture-directory.ts';
import type { TreeContent } from '../../src/tree/converge-tree.ts';
import { versionRecord } from '../version-record.ts';

/** A version of a store with all its content in memory, and a count of the bytes that were asked for. */
export interface VersionContent extends TreeContent {
  asked: number;
}

/** Reads a version with all its content; for small trees. */
export async function versionContent(store: DirectoryStore, digest: Digest): Promise<VersionContent> {
  const chunks = new Map<string, Uint8Array>();
  const contents = new ChunkContents(store, digest);
  for await (const entries of store.entries(digest)) {
    await contents.find(entries);
    for (const entry of entries) {
      for (const chunk of entry.chunks ?? []) {
        const hash = Buffer.from(chunk.hash).toString('hex');
        if (!chunks.has(hash)) chunks.set(hash, Buffer.from(await contents.read(chunk)));
      }
    }
  }
  const version: VersionContent = {
    digest,
    asked: 0,
    entries: () => store.entries(digest),
    async content(hash) {
      const bytes = chunks.get(hash);
      if (bytes === undefined) throw new Error(`no content ${hash}`);
      version.asked += bytes.length;
      return bytes;
    },
  };
  return version;
}

/** Captures a directory as it is. */
export async function captureTree(store: DirectoryStore, directory: string): Promise<Digest> {
  const task = Task.silent();
  await using transaction = await store.begin('test', task);
  const { manifest } = await captureDirectory({ directory: rawPath(directory), transaction, task });
  return manifest.digest;
}

/** A version as an update has it once all of it is there. */
export async function updateContent(store: DirectoryStore, digest: Digest, number: number): Promise<UpdateContent> {
  const version = await versionContent(store, digest);
  let [entries, contentBytes] = [0, 0];
  for await (const batch of version.entries()) {
    entries += batch.length;
    for (const { chunks } of batch) for (const { length } of chunks ?? []) contentBytes += length;
  }
  const record = versionRecord({
    ...{ number, digest },
    stats: { entries, files: entries, logicalBytes: contentBytes, contentBytes, newChunks: 0, newBytes: 0 },
  });
  return {
    record,
    recordText: JSON.stringify(record),
    signature: `signature of ${number}\n`,
    digest,
    manifestFile: join(store.location, manifestPath(digest)),
    entries: version.entries,
    content: version.content,
    transferred: { bytes: 0, requests: 0 },
    [Symbol.asyncDispose]: async () => {},
  };
}
