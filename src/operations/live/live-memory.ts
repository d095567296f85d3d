import { join } from 'node:path';
import type { Digest } from '../../foundation/brand.ts';
import type { Clock } from '../../foundation/clock.ts';
import { ImprintError, toImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import type { RootFileSystem } from '../../machine/root-file-system.ts';
import { joined, readSnapshotStore, type SnapshotStore, splitByStore } from '../../machine/snapshot-store.ts';
import { liveChunk, liveDevices } from '../../planning/live-tables.ts';
import type { MemoryLevel, MemoryState } from '../../planning/memory-guard.ts';
import type { ChangesStore } from '../../system/changes-store.ts';
import { createMapped, loadDeviceMapper, removeMapped } from '../../system/device-mapper.ts';
import { mountDevice, unmountTree } from '../../system/mount.ts';
import type { RootWriters } from '../../system/root-writers.ts';
import type { Processes } from '../../system/run.ts';
import type { SourceVersion } from './built-versions.ts';
import type { LiveOrigin, RunningRoot } from './live-origin.ts';
import { LiveSource, type LiveSourceHost } from './live-source.ts';
import { MemoryWatch } from './memory-watch.ts';

export interface LiveMemoryWish {
  processes: Processes;
  clock: Clock;
  /** Where the root is mounted. */
  target: string;
  /** In memory: for sockets and for what is written. */
  directory: string;
  /** Path of the store. */
  location: string;
  serveCommand: LiveSourceHost['command'];
  /** What it is a root of. */
  version: SourceVersion;
  fileSystem: RootFileSystem;
  /** Bytes of the root's file system. */
  bytes: number;
  uuid: string;
  /** Seconds since 1970 at which the file system says that it was made. */
  time: number;
  /** What the writes are kept on, which need be no larger than `size` bytes for them never to overflow it. */
  changes(size: number): Promise<ChangesStore>;
  /** Bytes of content that are kept in memory. */
  room: number;
  writers: RootWriters;
  /** Called when changes go to a disk. */
  moved(): Promise<void>;
  /** Called when nothing is read from the store any more. */
  released(): Promise<void>;
  tell(problem: string | undefined): void;
}

/** Below the root, until changes go to a disk. */
export const liveSnapshot = 'imprint-live';

/**
 * The root of a live system: a version that is only read, and in memory what is written. It is a device-mapper device from its first moment, so that it can move
 * onto a disk later.
 */
export class LiveMemory implements RunningRoot {
  readonly uuid: string;
  readonly time: number;
  readonly fileSystem: RootFileSystem;
  readonly #wish: LiveMemoryWish;
  readonly #source: LiveSource;
  readonly #memory: ChangesStore;
  readonly #watch: MemoryWatch;
  #kept: SnapshotStore | undefined;
  #isMoved = false;
  #isReleased = false;

  private constructor(wish: LiveMemoryWish, source: LiveSource, memory: ChangesStore) {
    this.#wish = wish;
    this.uuid = wish.uuid;
    this.time = wish.time;
    this.fileSystem = wish.fileSystem;
    this.#source = source;
    this.#memory = memory;
    this.#watch = new MemoryWatch(wish.writers, () => memory.state(), wish.clock, memory.kind);
  }

  /** Makes it, and mounts it at the target. Errors: those of `LiveSource.attach`; `process-failed` where the kernel has no snapshots. */
  static async start(wish: LiveMemoryWish, task: Task): Promise<LiveMemory> {
    const { processes, clock, directory, location, version, fileSystem, uuid, time, room, tell } = wish;
    const { bytes: size, serveCommand } = wish;
    await loadDeviceMapper(processes);
    const wanted = { location, ...version, fileSystem, size, uuid, time, room, directory: join(directory, 'source') };
    const source = await LiveSource.attach(
      { ...wanted, digest: version.digest as Digest },
      { processes, clock, command: serveCommand, tell },
      task.signal,
    );
    const memory = await wish.changes(storeSize(size)).catch(async (error) => {
      await source[Symbol.asyncDispose]();
      throw error;
    });
    const live = new LiveMemory(wish, source, memory);
    try {
      await live.#make(task);
      return live;
    } catch (error) {
      await live.abandon();
      throw error;
    }
  }

  async #make(task: Task): Promise<void> {
    const { processes, clock, target, fileSystem: type, bytes: size } = this.#wish;
    const [source, memory] = [this.#source, this.#memory];
    const [sectors, chunk] = [size / 512, liveChunk / 512];
    await createMapped(processes, liveSnapshot, `0 ${sectors} snapshot ${source.device} ${memory.device} P ${chunk}`);
    await createMapped(processes, liveDevices.root, `0 ${sectors} linear /dev/mapper/${liveSnapshot} 0`);
    await unmountTree(processes, target, clock);
    const mount = { device: `/dev/mapper/${liveDevices.root}`, directory: target, type, options: 'noatime' };
    await mountDevice(processes, mount, task.signal);
  }

  /** Lets go of everything: the system was not started. Never rejects. */
  async abandon(): Promise<void> {
    const { processes, clock, target } = this.#wish;
    await unmountTree(processes, target, clock).catch(() => {});
    await removeMapped(processes, liveDevices.root).catch(() => {});
    await removeMapped(processes, liveSnapshot).catch(() => {});
    await Promise.resolve(this.#memory[Symbol.asyncDispose]()).catch(() => {});
    await Promise.resolve(this.#source[Symbol.asyncDispose]()).catch(() => {});
  }

  /** From when others write to it. */
  watch(): void {
    this.#watch.start();
  }

  /** Undefined: nothing is kept in memory any more. */
  async memory(): Promise<(MemoryState & { level: MemoryLevel }) | undefined> {
    if (this.#isMoved) return undefined;
    return { ...(await this.#memory.state()), level: this.#watch.level };
  }

  /** Whether changes go to a disk. */
  get isMoved(): boolean {
    return this.#isMoved;
  }

  /** Whether the medium, or its copy, is needed no more. */
  get isReleased(): boolean {
    return this.#isReleased;
  }

  get origin(): LiveOrigin {
    return {
      device: `/dev/mapper/${liveSnapshot}`,
      read: (position, length) => this.#read(position, length),
      // What was written since lies on the disk before anything else does.
      zeros: this.#source.zeros,
      isWanted: () => this.#source.isWanted(),
      [Symbol.asyncDispose]: () => this.#release(),
    };
  }

  async kept() {
    return joined((await this.#lists()).runs);
  }

  async changesMoved(task: Task): Promise<void> {
    this.#isMoved = true;
    await this.#watch.end().catch((error) => task.warn(toImprintError(error).message));
    await this.#wish.moved();
  }

  /** What lies in memory is read from there: the kernel would only take longer. */
  async #read(position: number, length: number): Promise<Uint8Array> {
    const { runs } = await this.#lists();
    const bytes = Buffer.allocUnsafe(length);
    const parts = splitByStore(runs, { start: position / 512, length: length / 512 });
    for (const { start, length: sectors, at } of parts) {
      const read = at === undefined ? this.#source : this.#memory;
      const part = await read.read((at ?? start) * 512, sectors * 512);
      if (part.length !== sectors * 512)
        throw new ImprintError('internal', { problem: 'the store of changes is short' });
      bytes.set(part, start * 512 - position);
    }
    return bytes;
  }

  async #lists(): Promise<SnapshotStore> {
    this.#kept ??= await readSnapshotStore((position, length) => this.#memory.read(position, length));
    // The kernel gives a store up that was full.
    if (this.#kept === undefined) throw new ImprintError('live-changes-lost', {});
    return this.#kept;
  }

  async #release(): Promise<void> {
    await removeMapped(this.#wish.processes, liveSnapshot);
    await this.#memory[Symbol.asyncDispose]();
    await this.#source[Symbol.asyncDispose]();
    this.#isReleased = true;
    await this.#wish.released();
  }
}

/** Bytes of a store that has room for every block of the root, with the kernel's lists. */
function storeSize(root: number): number {
  return Math.ceil((root + Math.ceil(root / 256) + (1 << 20)) / liveChunk) * liveChunk;
}
