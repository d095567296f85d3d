import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { toImprintError } from '../foundation/errors.ts';
import type { BlockFile } from '../image/ext4/space.ts';
import { seekData, seekHole } from '../native/files.ts';

const zeros = Buffer.alloc(1 << 20);

/** A file that becomes the image of a disk or medium, or the disk itself. */
export class DiskFile implements Disposable {
  readonly path: string;
  /** A device, whose old content must be written over; a fresh file reads as zeros. */
  readonly isDevice: boolean;
  readonly #fd: number;

  /** Opens a file that is there, or a device. Errors: `io-failed`, `read-only`. */
  constructor(path: string) {
    this.path = path;
    this.#fd = this.#attempt(() => openSync(path, 'r+'));
    this.isDevice = this.#attempt(() => fstatSync(this.#fd).isBlockDevice());
  }

  /** A file that was not there, of no length yet. Errors: `io-failed`, `target-exists`, `disk-full`. */
  static create(path: string): DiskFile {
    try {
      closeSync(openSync(path, 'wx'));
    } catch (error) {
      throw toImprintError(Object.assign(error as NodeJS.ErrnoException, { path }));
    }
    return new DiskFile(path);
  }

  /** Another way to the same file, for every process of this machine, also when its name is gone. */
  get link(): string {
    return `/proc/${process.pid}/fd/${this.#fd}`;
  }

  /** Gives a file its length. Errors: `disk-full`, `io-failed`. */
  resize(size: number): void {
    if (!this.isDevice) this.#attempt(() => ftruncateSync(this.#fd, size));
  }

  /** Bytes from `position`, `length` of them; what is behind the end reads as zeros. */
  read(position: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    for (let done = 0; done < length; ) {
      const count = this.#attempt(() => readSync(this.#fd, bytes, done, length - done, position + done));
      if (count === 0) break;
      done += count;
    }
    return bytes;
  }

  write(position: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      done += this.#attempt(() => writeSync(this.#fd, bytes, done, bytes.length - done, position + done));
    }
  }

  /** Makes sure that a range reads as zeros. */
  clear(position: number, length: number): void {
    if (!this.isDevice) return;
    for (let done = 0; done < length; done += zeros.length)
      this.write(position + done, zeros.subarray(0, Math.min(zeros.length, length - done)));
  }

  /** Where the next hole begins at or after a byte, and where it ends; the end of the file ends it. Undefined: there is none. */
  hole(from: number, size: number): { start: number; end: number } | undefined {
    if (from >= size) return undefined;
    const start = seekHole(this.#fd, from);
    if (start < 0 || start >= size) return undefined;
    const end = seekData(this.#fd, start);
    return { start, end: end < 0 ? size : end };
  }

  sync(): void {
    this.#attempt(() => fsyncSync(this.#fd));
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
