import { type Digest, rawPath } from '../../src/foundation/brand.ts';
import { Task } from '../../src/foundation/task.ts';
import { ChunkContents } from '../../src/operations/chunk-contents.ts';
import type { DirectoryStore } from '../../src/store/directory-store.ts';
import { captureDirectory } from '../../src/tree/capture-directory.ts';
import type { TreeContent } from '../../src/tree/converge-tree.ts';

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
  return {
    digest,
    asked: 0,
    entries: () => store.entries(digest),
    async content(hash) {
      const bytes = chunks.get(hash);
      if (bytes === undefined) throw new Error(`no content ${hash}`);
      this.asked += bytes.length;
      return bytes;
    },
  };
}

/** Captures a directory as it is. */
export async function captureTree(store: DirectoryStore, directory: string): Promise<Digest> {
  const task = Task.silent();
  await using transaction = await store.begin('test', task);
  const { manifest } = await captureDirectory({ directory: rawPath(directory), transaction, task });
  return manifest.digest;
}
