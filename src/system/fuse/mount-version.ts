import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { type RawPath, rawPath } from '../../foundation/brand.ts';
import { type ErrorValue, ImprintError } from '../../foundation/errors.ts';
import { mount, unmount } from '../../native/mount.ts';
import type { Store } from '../../store/store.ts';
import type { VersionTable } from '../../tree/version-table.ts';
import { workerArguments } from '../../tree/worker-url.ts';
import { frameRoom, type MountWorkerData, type MountWorkerMessage } from './mount-message.ts';

/** MS_RDONLY, MS_NOSUID, MS_NODEV of sys/mount.h. */
const readOnly = 1;
const noSetUid = 2;
const noDevices = 4;

export interface MountVersionOptions {
  store: Store;
  table: VersionTable;
  /** Absolute path of an existing directory. */
  directory: string;
  /** What `findmnt` shows as its source: `web:3`. */
  name: string;
  /** A file that could not be read: its path's node and why. */
  onDamage(node: number, error: ErrorValue): void;
}

/** A version that is mounted. */
export interface MountedVersion extends AsyncDisposable {
  /** Resolves when it was unmounted, by whoever did it. */
  readonly ended: Promise<void>;
  /** Unmounts it; what is open stays readable until it is closed. */
  unmount(): Promise<void>;
}

/**
 * Mounts a version read-only by FUSE; frames are fetched and checked when they are read. A thread answers the kernel by itself, so this
 * process may do other things meanwhile. Errors: `not-root`, `mount-impossible`.
 */
export async function mountVersion(options: MountVersionOptions): Promise<MountedVersion> {
  const { store, table, directory, name } = options;
  if (process.getuid?.() !== 0) throw new ImprintError('not-root', { action: 'Mounting a version' });
  const device = openDevice();
  const target: RawPath = rawPath(directory);
  try {
    const access = 'rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions';
    mount(`imprint:${name}`, target, 'fuse.imprint', readOnly | noSetUid | noDevices, `fd=${device},${access}`);
  } catch (cause) {
    closeSync(device);
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new ImprintError('mount-impossible', { directory, problem }, { cause });
  }
  const state = new SharedArrayBuffer(8);
  const frame = new SharedArrayBuffer(frameRoom);
  const files = new Map<string, string>();
  for (const pack of table.packs) {
    const path = store.packFile(pack);
    if (path !== undefined) files.set(pack, path);
  }
  const data: MountWorkerData = { table, store: store.location, device, files, state, frame };
  const worker = new Worker(workerUrl(), { workerData: data, execArgv: [...workerArguments] });
  worker.on('message', (message: MountWorkerMessage) => {
    if (message.kind === 'fetch') void fetchFrame(store, message, state, frame);
    else if (message.kind === 'damage') options.onDamage(message.node, message.error);
  });
  const ended = once(worker, 'exit').then(() => closeSync(device));
  let gone = false;
  void ended.then(() => {
    gone = true;
  });
  const end = async () => {
    if (!gone) unmount(target, true);
    await ended;
  };
  return { ended, unmount: end, [Symbol.asyncDispose]: end };
}

function openDevice(): number {
  try {
    return openSync('/dev/fuse', 'r+');
  } catch (cause) {
    const problem = 'the kernel has no FUSE: /dev/fuse cannot be opened (try: modprobe fuse)';
    throw new ImprintError('mount-impossible', { directory: '/dev/fuse', problem }, { cause });
  }
}

/** Puts a frame into the shared memory and wakes the thread that waits for it. */
async function fetchFrame(
  store: Store,
  { pack, offset, length }: { pack: string; offset: number; length: number },
  state: SharedArrayBuffer,
  frame: SharedArrayBuffer,
): Promise<void> {
  const cells = new Int32Array(state);
  let outcome = 2;
  try {
    const bytes = await store.readPack(pack, offset, length);
    new Uint8Array(frame).set(bytes);
    outcome = 1;
  } catch {
    // The thread says so to whoever reads, and to us.
  }
  Atomics.store(cells, 0, outcome);
  Atomics.notify(cells, 0);
}

function workerUrl(): URL {
  const extension = new URL(import.meta.url).pathname.endsWith('.ts') ? 'ts' : 'mjs';
  return new URL(`./mount-worker.${extension}`, import.meta.url);
}
