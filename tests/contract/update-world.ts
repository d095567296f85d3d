import { hash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Digest, rawPath } from '../../src/foundation/brand.ts';
import { setModifiedTime } from '../../src/native/attributes.ts';
import type { LocalBase, UpdateContent } from '../../src/operations/update/update-content.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { HttpStore } from '../../src/store/http-store.ts';
import { manifestPath } from '../../src/store/layout.ts';
import type { StoredVersion } from '../../src/store/store.ts';
import { attributes, commitFiles, type Misbehaviour, serveDirectory, temporaryDirectory } from './store-fixture.ts';

/** Files of a version by their names. */
export type NamedFiles = Readonly<Record<string, Buffer>>;

export interface WorldOptions {
  /** How often the machine asks again. */
  retries: number;
  misbehave?: Misbehaviour | undefined;
}

/** A store with two versions behind HTTP, and a machine that has the first. Goes with its disposal. */
export async function updateWorld(old: NamedFiles, files: NamedFiles, { retries, misbehave }: WorldOptions) {
  const stack = new AsyncDisposableStack();
  const directory = stack.use(await temporaryDirectory());
  const kept = stack.use(await DirectoryStore.open(join(directory.path, 'store'), { create: true }));
  const first = await commitFiles(kept, 'web', old);
  const version = await commitFiles(kept, 'web', files);
  const root = join(directory.path, 'root');
  await mkdir(root);
  for (const [name, content] of Object.entries(old)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), content);
    setVersionTime(join(root, name));
  }
  const base: LocalBase = { digest: digestOf(first), manifestFile: kept.path(manifestPath(digestOf(first))), root };
  const server = stack.use(await serveDirectory(kept.directory, misbehave));
  const store = stack.use(await HttpStore.open(server.url, { retries }));
  const dispose = () => stack.disposeAsync();
  return { directory, kept, first, version, root, base, server, store, [Symbol.asyncDispose]: dispose };
}

/** Gives the file the time that the versions' files have: it then looks unchanged. */
export function setVersionTime(path: string): void {
  const { seconds, nanoseconds } = attributes.mtime;
  setModifiedTime(rawPath(path), seconds, nanoseconds);
}

export function digestOf({ record }: StoredVersion): Digest {
  return record.digest as Digest;
}

/** Content of all files of the version, as `content` gives it. */
export async function contents(update: UpdateContent): Promise<Record<string, Buffer>> {
  const found: Record<string, Buffer> = {};
  for await (const batch of update.entries())
    for (const { path, type, chunks = [] } of batch) {
      const parts: Buffer[] = [];
      for (const chunk of chunks)
        parts.push(Buffer.from(await update.content(Buffer.from(chunk.hash).toString('hex'))));
      if (type === 'file') found[path] = Buffer.concat(parts);
    }
  return found;
}

/** The hash of each file, which a failed comparison can show. */
export function sums(all: NamedFiles): Record<string, string> {
  return Object.fromEntries(Object.entries(all).map(([name, content]) => [name, hash('sha256', content)]));
}
