import { constants } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { LiveSource } from '../../contract/image.ts';
import type { Digest } from '../../foundation/brand.ts';
import type { Task } from '../../foundation/task.ts';
import { mediumPaths } from '../../machine/medium-names.ts';
import { rootSpace } from '../../planning/install-space.ts';
import { DirectoryStore } from '../../store/directory-store.ts';
import { writing } from '../../store/durable.ts';
import { manifestPath, packListPath, packPath, storeFile, storeFileText } from '../../store/layout.ts';
import { formatPackList } from '../../store/pack-list.ts';
import { readPackTable } from '../../store/pack-tables.ts';
import type { ChunkLocation, StoredVersion } from '../../store/store.ts';
import { trustFiles, versionTexts } from '../../store/version-files.ts';
import { checkChunk, type Frame, inPackOrder, openFrame } from '../verify-content.ts';
import { resolveLiveSource } from './built-versions.ts';
import { frameName } from './frame-reader.ts';

const page = 4096;
const smallLimit = 64 << 20;

/** What of a store one version needs, to be copied. */
export interface VersionCopy {
  /** `web:3` */
  readonly image: string;
  readonly digest: Digest;
  /** What it takes where packs have holes, and where they have none. */
  readonly bytes: { readonly sparse: number; readonly whole: number };
  /** Makes a store of it in a directory, every chunk checked. Errors: `corrupt-pack`, `chunk-missing`, `disk-full`, `io-failed`, `interrupted`. */
  write(to: string, task: Task): Promise<void>;
}

/**
 * Looks what a version needs: frames of its packs with all of their tables, manifest, record, signature, trust, scripts. Packs keep their names and places in the copy, with holes where other
 * versions' content was. To start it on another file system than ext4, the one that was made of it is copied, and of the version itself what says what it is: its content is in there. The store has to
 * stay open until it is written. Errors: `image-not-found`, `live-source-missing`, `corrupt-manifest`, `chunk-missing`, `corrupt-pack`.
 */
export async function planVersionCopy(
  store: DirectoryStore,
  reference: string,
  fileSystem?: LiveSource['fileSystem'],
): Promise<VersionCopy> {
  const needed = await findNeeded(store, reference, fileSystem);
  const whole = needed.packs.reduce((sum, { packLength }) => sum + packLength + page, 0);
  const { image, digest, bytes } = needed;
  const write = (to: string, task: Task) => copyNeeded(store, needed, to, task);
  return { image, digest, bytes: { sparse: bytes, whole: Math.max(whole, bytes) }, write };
}

/** A frame, and the places in it of the chunks that are needed. */
interface NeededFrame extends Frame {
  chunks: Map<string, ChunkLocation>;
}

/** What of the store a version needs. */
interface Needed {
  image: string;
  digest: Digest;
  /** Of the version whose content is copied: itself, or the file system that was made of it. */
  whole: Digest;
  /** By their paths. */
  small: Map<string, Uint8Array>;
  packs: { pack: string; tableOffset: number; packLength: number }[];
  /** In the packs' order. */
  frames: Map<string, NeededFrame>;
  /** Of memory, or of a file system with holes. */
  bytes: number;
}

async function findNeeded(
  store: DirectoryStore,
  reference: string,
  fileSystem: LiveSource['fileSystem'] | undefined,
): Promise<Needed> {
  const version = await store.find(reference);
  const { record } = version;
  const versions: StoredVersion[] = [version];
  if (fileSystem !== undefined)
    versions.push(await resolveLiveSource(store, record, fileSystem, rootSpace(record.stats)));
  const small = new Map<string, Uint8Array>();
  const addText = (path: string, text: string) => small.set(path, Buffer.from(text));
  addText(storeFile, storeFileText);
  for (const each of versions) {
    const digest = each.record.digest as Digest;
    for (const [path, text] of versionTexts(each)) addText(path, text);
    small.set(manifestPath(digest), await store.manifestFile(digest));
  }
  const trust = await trustFiles(store.path(''));
  for (const path of [...trust, mediumPaths.scripts, `${mediumPaths.scripts}.minisig`]) {
    const bytes = await store.files.read(path, smallLimit);
    if (bytes !== undefined) small.set(path, bytes);
  }
  const whole = (versions.at(-1) ?? version).record.digest as Digest;
  const frames = framesOf(await placesOf(store, whole));
  const packs = await Promise.all(
    [...new Set([...frames.values()].map(({ pack }) => pack))].map((pack) => placeOfTable(store, pack)),
  );
  addText(packListPath(whole), formatPackList(packs));
  const image = `${record.image}:${record.number}`;
  return { image, digest: record.digest as Digest, whole, small, packs, frames, bytes: sizeOf(small, packs, frames) };
}

async function placesOf(store: DirectoryStore, digest: Digest): Promise<Map<string, ChunkLocation>> {
  const names = new Set<string>();
  for await (const batch of store.entries(digest)) {
    for (const { chunks = [] } of batch) for (const chunk of chunks) names.add(Buffer.from(chunk.hash).toString('hex'));
  }
  return await store.locate(names, digest);
}

async function placeOfTable(store: DirectoryStore, pack: string) {
  const result = await readPackTable(store.files, { pack });
  if ('error' in result) throw result.error;
  return { pack, tableOffset: result.table.tableOffset, packLength: result.table.packLength };
}

function framesOf(places: ReadonlyMap<string, ChunkLocation>): Needed['frames'] {
  const frames: Needed['frames'] = new Map();
  for (const [chunk, place] of inPackOrder(places)) {
    const name = frameName(place);
    const frame = frames.get(name) ?? { ...place, chunks: new Map() };
    frame.chunks.set(chunk, place);
    frames.set(name, frame);
  }
  return frames;
}

/** In whole pages, two more for each piece that begins and ends inside one. */
function sizeOf(small: Needed['small'], packs: Needed['packs'], frames: Needed['frames']): number {
  const pages = (bytes: number) => Math.ceil(bytes / page) * page;
  let sum = 0;
  for (const bytes of small.values()) sum += pages(bytes.length) + page;
  for (const { tableOffset, packLength } of packs) sum += pages(packLength - tableOffset) + 2 * page;
  for (const { frameLength } of frames.values()) sum += pages(frameLength) + page;
  return sum;
}

async function copyNeeded(store: DirectoryStore, { whole, small, packs, frames }: Needed, to: string, task: Task) {
  for (const [path, bytes] of small) await writeAt(join(to, path), 0, bytes);
  for (const { pack, tableOffset, packLength } of packs) {
    const table = await store.readPack(pack, tableOffset, packLength - tableOffset);
    await writeAt(join(to, packPath(pack)), tableOffset, table);
  }
  task.expect(
    [...frames.values()].reduce((sum, frame) => sum + frame.frameLength, 0),
    'bytes',
  );
  for (const frame of frames.values()) {
    task.signal.throwIfAborted();
    await copyFrame(store, frame, to);
    task.advance(frame.frameLength);
  }
  // A chunk may lie in two packs; whoever reads the copy may choose the other one, whose place is a hole here so far.
  const copy = await DirectoryStore.open(to);
  try {
    const chosen = framesOf(await placesOf(copy, whole));
    for (const [name, frame] of chosen) if (!frames.has(name)) await copyFrame(store, frame, to);
  } finally {
    await copy.close();
  }
}

async function copyFrame(store: DirectoryStore, frame: NeededFrame, to: string): Promise<void> {
  const { pack, frameOffset, frameLength, chunks } = frame;
  const bytes = await store.readPack(pack, frameOffset, frameLength);
  const content = openFrame(store, frame, bytes);
  for (const [chunk, place] of chunks) checkChunk(store, chunk, place, content);
  await writeAt(join(to, packPath(pack)), frameOffset, bytes);
}

/** Writes bytes at their place of a file, which is made where it is missing; what nobody writes is a hole. */
async function writeAt(path: string, position: number, bytes: Uint8Array): Promise<void> {
  await writing(path, async () => {
    await mkdir(dirname(path), { recursive: true });
    await using file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o644);
    for (let done = 0; done < bytes.length; )
      done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
  });
}
