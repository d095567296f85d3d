import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import { patchBootSector, patchCoreImage } from '../machine/grub-core.ts';
import { type MediumTable, renderMediumTable } from '../machine/medium-table.ts';
import type { Processes } from './run.ts';

const zeros = Buffer.alloc(1 << 20);

/** A file that becomes the image of a medium, or the medium itself. */
export class MediumDisk implements Disposable {
  readonly path: string;
  /** A device, whose old content must be written over; a fresh file reads as zeros. */
  readonly isDevice: boolean;
  readonly #fd: number;

  /** Opens a file that is empty, or of a device. Errors: `io-failed`, `read-only`. */
  constructor(path: string) {
    this.path = path;
    this.#fd = this.#attempt(() => openSync(path, 'r+'));
    this.isDevice = this.#attempt(() => fstatSync(this.#fd).isBlockDevice());
  }

  /** Gives a file its length. Errors: `disk-full`, `io-failed`. */
  resize(size: number): void {
    if (!this.isDevice) this.#attempt(() => ftruncateSync(this.#fd, size));
  }

  /** Bytes from `position`, all `length` of them. */
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

/** Writes the partition table. Errors: `tool-missing`, `process-failed`. */
export async function writeMediumTable(
  processes: Processes,
  disk: MediumDisk,
  table: MediumTable,
  signal: AbortSignal,
): Promise<void> {
  // Both copies, and boot code of old.
  disk.clear(0, 2 ** 20);
  disk.clear(table.size - 2 ** 20, 2 ** 20);
  const args = ['--quiet', '--no-reread', '--no-tell-kernel', '--wipe', 'always', disk.path];
  await processes.run('sfdisk', args, { timeout: 60_000, signal, input: renderMediumTable(table) });
}

/** Puts GRUB's core into the BIOS boot partition, and the 440 bytes that start it in front of the partition table. */
export function embedGrub(
  disk: MediumDisk,
  place: { start: number; size: number },
  grub: { boot: Uint8Array; core: Uint8Array },
): void {
  const sector = place.start / 512;
  const core = patchCoreImage(grub.core, sector);
  if (core.length > place.size) {
    const problem = `GRUB's core (${core.length} bytes) does not fit`;
    throw new ImprintError('io-failed', { operation: 'writing', path: disk.path, problem });
  }
  disk.clear(place.start, place.size);
  disk.write(place.start, core);
  disk.write(0, patchBootSector(grub.boot, sector));
}
