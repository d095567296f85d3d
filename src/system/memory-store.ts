import { type FileHandle, open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../foundation/clock.ts';
import type { MemoryState } from '../planning/memory-guard.ts';
import type { ChangesStore } from './changes-store.ts';
import { mountDevice, unmountTree } from './mount.ts';
import type { Processes } from './run.ts';

const patience = 60_000;

/** A block device whose blocks take memory only when they are written. Errors: `process-failed`, `tool-missing`, `io-failed`. */
export class MemoryStore implements ChangesStore {
  readonly kind = 'memory';
  /** `/dev/loop0` */
  readonly device: string;
  /** Bytes of the device. */
  readonly size: number;
  readonly #directory: string;
  readonly #file: FileHandle;
  readonly #processes: Processes;
  readonly #clock: Clock;

  private constructor(parts: {
    device: string;
    size: number;
    directory: string;
    file: FileHandle;
    processes: Processes;
    clock: Clock;
  }) {
    this.device = parts.device;
    this.size = parts.size;
    this.#directory = parts.directory;
    this.#file = parts.file;
    this.#processes = parts.processes;
    this.#clock = parts.clock;
  }

  /** `directory` gets a file system of its own, in memory. */
  static async make(processes: Processes, directory: string, size: number, clock: Clock): Promise<MemoryStore> {
    // What the file system needs beside the file is not taken from the file.
    const options = `size=${size + (8 << 20)},mode=0700,nosuid,nodev`;
    await mountDevice(processes, { device: 'tmpfs', directory, type: 'tmpfs', options });
    const path = join(directory, 'changes');
    try {
      await rm(path, { force: true });
      const file = await open(path, 'w+');
      await file.truncate(size);
      await processes.run('modprobe', ['--quiet', 'loop'], { timeout: patience, accept: [0, 1] });
      const { stdout } = await processes.run('losetup', ['--find', '--show', path], { timeout: patience });
      return new MemoryStore({ device: stdout.trim(), size, directory, file, processes, clock });
    } catch (error) {
      await unmountTree(processes, directory, clock).catch(() => {});
      throw error;
    }
  }

  /** Bytes of the device, as they are now. */
  async read(position: number, length: number): Promise<Buffer> {
    const bytes = Buffer.alloc(Math.max(0, Math.min(length, this.size - position)));
    for (let done = 0; done < bytes.length; ) {
      const { bytesRead } = await this.#file.read(bytes, done, bytes.length - done, position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return bytes;
  }

  /** How much of it takes memory. */
  async state(): Promise<MemoryState> {
    const { blocks, bfree, bsize } = await statfs(this.#directory);
    return { used: (blocks - bfree) * bsize, size: this.size };
  }

  /** Gives the memory back. Nothing may use the device. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#processes.run('losetup', ['--detach', this.device], { timeout: patience });
    await this.#file.close();
    await unmountTree(this.#processes, this.#directory, this.#clock);
  }
}
