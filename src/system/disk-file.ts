import { closeSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { toImprintError } from '../foundation/errors.ts';
import type { BlockFile } from '../image/ext4/space.ts';

/** A file that becomes a disk image: reads as zeros wherever nothing was written. */
export class DiskFile implements Disposable {
  readonly path: string;
  readonly #fd: number;

  /** Opens an empty file and gives it its length. Errors: `disk-full`, `read-only`, `io-failed`. */
  constructor(path: string, size: number) {
    this.path = path;
    try {
      this.#fd = openSync(path, 'r+');
      ftruncateSync(this.#fd, size);
    } catch (error) {
      throw toImprintError(error);
    }
  }

  /** Another way to the same file, for every process of this machine, also when its name is gone. */
  get link(): string {
    return `/proc/${process.pid}/fd/${this.#fd}`;
  }

  /** Bytes from `position`, all `length` of them. */
  read(position: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    this.#attempt(() => readSync(this.#fd, bytes, 0, length, position));
    return bytes;
  }

  write(position: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      done += this.#attempt(() => writeSync(this.#fd, bytes, done, bytes.length - done, position + done));
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  #attempt<Result>(work: () => Result): Result {
    try {
      return work();
    } catch (error) {
      throw toImprintError(Object.assign(error as NodeJS.ErrnoException, { path: this.path }));
    }
  }
}

/** The blocks of a file system that begins at byte `offset` of a disk. */
export function blocksOf(disk: DiskFile, offset: number, blockSize: number): BlockFile {
  return {
    read: (block, count) => disk.read(offset + block * blockSize, count * blockSize),
    write: (block, bytes) => disk.write(offset + block * blockSize, bytes),
  };
}
