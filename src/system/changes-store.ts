import { type FileHandle, open } from 'node:fs/promises';
import type { MemoryState } from '../planning/memory-guard.ts';
import { snapshotState } from './device-mapper.ts';
import type { Processes } from './run.ts';

/** A block device that a live system's writes are kept on until they move. */
export interface ChangesStore extends AsyncDisposable {
  readonly device: string;
  /** Where people find it. */
  readonly kind: 'memory' | 'file';
  /** Bytes of the device, when nothing is written to it any more. */
  read(position: number, length: number): Promise<Uint8Array>;
  /** How much of it is in use. */
  state(): Promise<MemoryState>;
}

/**
 * A file of a partition that outlives the machine's restarts, as the block device that it was attached to, which stays. Errors: `io-failed`, `process-failed`.
 *
 * @param snapshot name of the device-mapper device that keeps its changes there
 */
export class FileChanges implements ChangesStore {
  readonly kind = 'file';
  readonly device: string;
  readonly #processes: Processes;
  readonly #snapshot: string;
  #file: FileHandle | undefined;

  constructor(processes: Processes, device: string, snapshot: string) {
    this.#processes = processes;
    this.device = device;
    this.#snapshot = snapshot;
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    if (this.#file === undefined) {
      // The kernel's snapshot writes past what is kept of the device in memory.
      await this.#processes.run('blockdev', ['--flushbufs', this.device], { timeout: 60_000 });
      this.#file = await open(this.device, 'r');
    }
    const bytes = Buffer.alloc(length);
    let done = 0;
    while (done < length) {
      const { bytesRead } = await this.#file.read(bytes, done, length - done, position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return bytes.subarray(0, done);
  }

  async state(): Promise<MemoryState> {
    const state = await snapshotState(this.#processes, this.#snapshot);
    return state === undefined ? { used: 1, size: 1 } : { used: state.used * 512, size: state.size * 512 };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.close();
  }
}
