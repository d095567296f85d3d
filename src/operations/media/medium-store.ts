import { hash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import type { mediumScriptsSchema } from '../../contract/scripts.ts';
import { type Digest, digestHex } from '../../foundation/brand.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { mediumPaths } from '../../machine/medium-names.ts';
import { ifThere } from '../../store/directory-files.ts';
import { manifestPath, packListPath, packPath, storeFile, storeFileText } from '../../store/layout.ts';
import { requireCopyable } from '../../store/open-store.ts';
import type { Store } from '../../store/store.ts';
import { trustFiles, versionTexts } from '../../store/version-files.ts';
import type { Context } from '../context.ts';
import { isBuilt } from '../live/built-versions.ts';
import { resolveInstallable } from '../resolve-installable.ts';
import { scriptsForImages } from '../server-scripts.ts';
import type { MediumFile } from './ext4-files.ts';

/** Whole versions as a store of their own, to be put onto a medium. */
export interface MediumStore extends AsyncDisposable {
  files: MediumFile[];
  /** `web:3`, with their names (`web`) and digests, in the order in which they were asked for. */
  images: { image: string; name: string; digest: Digest; bytes: number; kernelOptions?: string }[];
}

/** Chunks that are looked for at a time. */
const batch = 4096;

/**
 * The files of a store that holds just these versions, as they lie in ours: packs whole, since they are signed for as they are. While it is open, none of
 * them goes. Errors: `image-not-found`, `signature-missing`, what a guard refuses, `chunk-missing`, `usage` for a store behind HTTP.
 */
export async function openMediumStore(
  context: Context,
  references: readonly string[],
  task: Task,
  prefix: string,
): Promise<MediumStore> {
  const { storeLocation } = context;
  requireCopyable(storeLocation);
  const store = await context.store();
  const leases = new AsyncDisposableStack();
  try {
    const files = new Map<string, MediumFile>();
    const add = async (path: string) => {
      const source = join(storeLocation, path);
      files.set(path, { path: `${prefix}${path}`, source, size: (await stat(source)).size });
    };
    const addText = (path: string, text: string) =>
      files.set(path, { path: `${prefix}${path}`, source: Buffer.from(text), size: Buffer.byteLength(text) });
    addText(storeFile, storeFileText);
    const images: MediumStore['images'] = [];
    for (const reference of references) {
      const { image, digest } = await resolveInstallable(context, reference);
      leases.use(await store.lease(digest));
      const version = await store.find(image);
      const { record } = version;
      for (const [path, text] of versionTexts(version)) addText(path, text);
      await add(manifestPath(digest));
      if ((await ifThere(stat(join(storeLocation, packListPath(digest))))) !== undefined)
        await add(packListPath(digest));
      for (const pack of await packsOf(store, digest, task)) await add(packPath(pack));
      const { kernelOptions } = record.source;
      const bytes = record.stats.contentBytes;
      // What a machine may start from before it is installed is found by its version, and is nothing to choose.
      if (isBuilt(version)) continue;
      images.push({ image, name: record.image, digest, bytes, ...(kernelOptions !== undefined && { kernelOptions }) });
    }
    const scripts = await scriptsForImages(
      context.paths,
      images.map(({ name }) => name),
    );
    if (scripts.length > 0) {
      const document = { format: 1, kind: 'imprint-scripts', scripts } satisfies z.infer<typeof mediumScriptsSchema>;
      const text = JSON.stringify(document);
      addText(mediumPaths.scripts, text);
      const { signer } = await context.key();
      addText(`${mediumPaths.scripts}.minisig`, signer.sign(Buffer.from(text), 'imprint scripts'));
    }
    for (const path of await trustFiles(storeLocation)) await add(path);
    return {
      files: [...files.values()].sort((left, right) => (left.path < right.path ? -1 : 1)),
      images,
      [Symbol.asyncDispose]: () => leases.disposeAsync(),
    };
  } catch (error) {
    await leases.disposeAsync();
    throw error;
  }
}

/** What the names of the medium are made of: the same files give the same words. */
export function storeFingerprint({ files, images }: Pick<MediumStore, 'files' | 'images'>): string[] {
  return [
    ...images.map(({ image, digest }) => `${image} ${digestHex(digest)}`),
    // What is not named by its content is known by it.
    ...files.map(({ path, size, source }) => `${path} ${typeof source === 'string' ? size : hash('sha256', source)}`),
  ];
}

async function packsOf(store: Store, digest: Digest, task: Task): Promise<string[]> {
  const packs = new Set<string>();
  let hashes: string[] = [];
  const look = async () => {
    task.signal.throwIfAborted();
    const found = await store.locate(new Set(hashes), digest);
    for (const hash of hashes) {
      const place = found.get(hash);
      if (place === undefined) throw new ImprintError('chunk-missing', { chunk: hash, digest, store: store.location });
      packs.add(place.pack);
    }
    hashes = [];
  };
  for await (const entries of store.entries(digest)) {
    for (const { chunks = [] } of entries) {
      for (const { hash } of chunks) hashes.push(Buffer.from(hash).toString('hex'));
    }
    if (hashes.length >= batch) await look();
  }
  await look();
  return [...packs].sort();
}
