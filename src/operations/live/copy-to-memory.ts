import { hash } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, readdir, statfs } from 'node:fs/promises';
import { freemem } from 'node:os';
import { dirname, join } from 'node:path';
import type { Digest } from '../../foundation/brand.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { mediumPaths } from '../../machine/medium-names.ts';
import { ifThere } from '../../store/directory-files.ts';
import { DirectoryStore } from '../../store/directory-store.ts';
import { writing } from '../../store/durable.ts';
import {
  manifestPath,
  packListPath,
  packPath,
  recordPath,
  signaturePath,
  storeFile,
  storeFileText,
  tagPath,
} from '../../store/layout.ts';
import { formatPackList } from '../../store/pack-list.ts';
import { readPackTable } from '../../store/pack-tables.ts';
import type { ChunkLocation } from '../../store/store.ts';
import { formatTag } from '../../store/version-files.ts';
import { decompress } from '../../store/zstd.ts';
import { mountDevice } from '../../system/mount.ts';
import type { Processes } from '../../system/run.ts';

/** A version of a medium that is to be in memory. */
export interface MemoryCopyWish {
  /** The store on the medium. */
  from: string;
  /** Directory that becomes the store: not there yet, or empty. */
  to: string;
  /** `web:3` */
  reference: string;
  /** Mounts a file system in memory on `to`, as large as is needed. Absent: `to` lies in memory already. */
  processes?: Processes;
  /** Bytes of memory that must stay for all else: what the system does and writes. */
  reserve?: number;
  /** Bytes of memory that could be had now; absent: the kernel is asked. */
  available?: number;
}

const page = 4096;
const mebibyte = 2 ** 20;
const defaultReserve = 512 * mebibyte;
const smallLimit = 64 * mebibyte;

/** A frame, and the places in it of the chunks that are needed. */
interface Frame extends Pick<ChunkLocation, 'pack' | 'frameOffset' | 'frameLength' | 'frameContentLength'> {
  chunks: Map<string, ChunkLocation>;
}

/** What of the store a version needs. */
interface Needed {
  digest: Digest;
  /** By their paths. */
  small: Map<string, Uint8Array>;
  packs: { pack: string; tableOffset: number; packLength: number }[];
  /** In the packs' order. */
  frames: Map<string, Frame>;
  /** Of memory. */
  bytes: number;
}

/**
 * Copies of a store what one version needs (frames of its packs with all of their tables, manifest, record, signature, trust, scripts) into memory, every chunk checked: afterwards nothing holds the
 * medium. Packs keep their names and places, with holes where other versions' content was. Returns the store's directory.
 *
 * Errors: `memory-short` before anything is copied; `image-not-found`, `store-not-found`, `chunk-missing`, `corrupt-pack`, `corrupt-manifest`, `disk-full`, `interrupted`.
 */
export async function copyVersionToMemory(wish: MemoryCopyWish, task: Task): Promise<string> {
  const { from, to, reference, processes } = wish;
  const store = await DirectoryStore.open(from);
  try {
    const needed = await task.part(`look what ${reference} needs`, () => findNeeded(store, reference));
    await expectMemory(wish, needed);
    if (processes !== undefined) {
      // Of the packs' holes nothing is counted; what the file system keeps of its own is.
      const options = `mode=0755,nodev,nosuid,noexec,size=${needed.bytes + needed.bytes / 16 + 16 * mebibyte}`;
      await mountDevice(processes, { device: 'tmpfs', directory: to, type: 'tmpfs', options });
    }
    await task.part(`copy ${reference} into memory`, (part) => copyNeeded(store, needed, to, part));
  } finally {
    // Its leases hold files of the medium.
    await store.close();
  }
  return to;
}

/**
 * The same, but where memory does not suffice, that is said, and the store on the medium goes on being used: it has to stay in. Errors: those of `copyVersionToMemory`, without
 * `memory-short`.
 */
export async function storeInMemoryOrThere(
  wish: MemoryCopyWish,
  task: Task,
): Promise<{ store: string; inMemory: boolean }> {
  try {
    return { store: await copyVersionToMemory(wish, task), inMemory: true };
  } catch (error) {
    if (!(error instanceof ImprintError) || error.code !== 'memory-short') throw error;
    task.warn(`${error.message} It runs from the medium instead: leave it in.`);
    return { store: wish.from, inMemory: false };
  }
}

async function findNeeded(store: DirectoryStore, reference: string): Promise<Needed> {
  const { record, recordText, signature, tags } = await store.find(reference);
  const digest = record.digest as Digest;
  const small = new Map<string, Uint8Array>();
  const addText = (path: string, text: string) => small.set(path, Buffer.from(text));
  addText(storeFile, storeFileText);
  addText(recordPath(record.image, record.number), recordText);
  if (signature !== undefined) addText(signaturePath(record.image, record.number), signature);
  for (const tag of tags) addText(tagPath(record.image, tag), formatTag({ number: record.number, digest }));
  small.set(manifestPath(digest), await store.manifestFile(digest));
  const trust = (await ifThere(readdir(store.path('trust')))) ?? [];
  const others = trust.filter((name) => /^\d+\.json(\.minisig)?$/.test(name)).map((name) => `trust/${name}`);
  for (const path of [...others, mediumPaths.scripts, `${mediumPaths.scripts}.minisig`]) {
    const bytes = await store.files.read(path, smallLimit);
    if (bytes !== undefined) small.set(path, bytes);
  }
  const frames = framesOf(await placesOf(store, digest));
  const packs = await Promise.all(
    [...new Set([...frames.values()].map(({ pack }) => pack))].map((pack) => placeOfTable(store, pack)),
  );
  addText(packListPath(digest), formatPackList(packs));
  return { digest, small, packs, frames, bytes: sizeOf(small, packs, frames) };
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
  const ordered = [...places].sort(([, a], [, b]) =>
    a.pack === b.pack ? a.frameOffset - b.frameOffset : a.pack < b.pack ? -1 : 1,
  );
  for (const [chunk, place] of ordered) {
    const name = `${place.pack} ${place.frameOffset}`;
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

async function expectMemory(wish: MemoryCopyWish, { bytes }: Needed): Promise<void> {
  const { to, reference, reserve = defaultReserve, processes } = wish;
  let available = (wish.available ?? freemem()) - reserve;
  if (processes === undefined) {
    await mkdir(to, { recursive: true });
    const { bavail, bsize } = await statfs(to);
    available = Math.min(available, bavail * bsize);
  }
  if (available >= bytes) return;
  throw new ImprintError('memory-short', {
    what: reference,
    needed: formatBytes(bytes + reserve),
    content: formatBytes(bytes),
    available: formatBytes(Math.max(0, available + reserve)),
  });
}

async function copyNeeded(store: DirectoryStore, { digest, small, packs, frames }: Needed, to: string, task: Task) {
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
    const chosen = framesOf(await placesOf(copy, digest));
    for (const [name, frame] of chosen) if (!frames.has(name)) await copyFrame(store, frame, to);
  } finally {
    await copy.close();
  }
}

async function copyFrame(store: DirectoryStore, frame: Frame, to: string): Promise<void> {
  const { pack, frameOffset, frameLength, frameContentLength, chunks } = frame;
  const bytes = await store.readPack(pack, frameOffset, frameLength);
  const corrupt = (problem: string, cause?: unknown) =>
    new ImprintError('corrupt-pack', { pack, store: store.location, problem }, { cause });
  let content: Uint8Array;
  try {
    content = decompress(bytes, frameContentLength);
  } catch (error) {
    throw corrupt(error instanceof Error ? error.message : String(error), error);
  }
  for (const [chunk, { offset, length }] of chunks) {
    if (hash('sha256', content.subarray(offset, offset + length), 'hex') !== chunk)
      throw corrupt(`the content ${chunk} is not what it should be`);
  }
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
