import { mkdir, statfs } from 'node:fs/promises';
import { freemem } from 'node:os';
import type { LiveSource } from '../../contract/image.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { DirectoryStore } from '../../store/directory-store.ts';
import { mountDevice } from '../../system/mount.ts';
import type { Processes } from '../../system/run.ts';
import { planVersionCopy } from './copy-version.ts';

/** A version of a medium that is to be in memory. */
export interface MemoryCopyWish {
  /** The store on the medium. */
  from: string;
  /** Directory that becomes the store: not there yet, or empty. */
  to: string;
  /** `web:3` */
  reference: string;
  /** What it is to start as; absent: ext4, which is computed. */
  fileSystem?: LiveSource['fileSystem'];
  /** Mounts a file system in memory on `to`, as large as is needed. Absent: `to` lies in memory already. */
  processes?: Processes;
  /** Bytes of memory that must stay for all else: what the system does and writes. */
  reserve?: number;
  /** Bytes of memory that could be had now; absent: the kernel is asked. */
  available?: number;
}

const mebibyte = 2 ** 20;
const defaultReserve = 512 * mebibyte;

/**
 * Copies of a store what one version needs into memory, every chunk checked: afterwards nothing holds the medium. Returns the store's directory.
 *
 * Errors: `memory-short` before anything is copied; `image-not-found`, `live-source-missing`, `store-not-found`, `chunk-missing`, `corrupt-pack`, `corrupt-manifest`, `disk-full`, `interrupted`.
 */
export async function copyVersionToMemory(wish: MemoryCopyWish, task: Task): Promise<string> {
  const { from, to, reference, fileSystem, processes } = wish;
  const store = await DirectoryStore.open(from);
  try {
    const copy = await task.part(`look what ${reference} needs`, () => planVersionCopy(store, reference, fileSystem));
    const bytes = copy.bytes.sparse;
    await expectMemory(wish, bytes);
    if (processes !== undefined) {
      // Of the packs' holes nothing is counted; what the file system keeps of its own is.
      const options = `mode=0755,nodev,nosuid,noexec,size=${Math.ceil(bytes * 1.06) + 16 * mebibyte}`;
      await mountDevice(processes, { device: 'tmpfs', directory: to, type: 'tmpfs', options });
    }
    await task.part(`copy ${reference} into memory`, (part) => copy.write(to, part));
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

async function expectMemory(wish: MemoryCopyWish, bytes: number): Promise<void> {
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
