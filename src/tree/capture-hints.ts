import type { FileStatus } from '../native/status.ts';

/**
 * What the file system said of each entry of a version when it was captured, beside what the manifest has: enough to know
 * later that an entry did not change. One row per entry, in manifest order. Private to this store; docs/image-format.md.
 */

const magic = Buffer.from('imprhnt1', 'latin1');
/** inode (8), ctime seconds (8), ctime nanoseconds (4), device (4). */
const rowLength = 24;
/** A change within this many seconds before the look at a file may not show in its times: such a row is left blank. */
const unsettledSeconds = 2;

/** Gathers the rows of a capture. */
export class HintWriter {
  #bytes = Buffer.alloc(1 << 20);
  #used = 0;

  constructor() {
    this.#used = magic.copy(this.#bytes);
  }

  /** `now`: seconds since 1970 when the entry was looked at. Without a status the row is blank. */
  add(status: FileStatus | undefined, now: number): void {
    if (this.#used + rowLength > this.#bytes.length) {
      this.#bytes = Buffer.concat([this.#bytes], this.#bytes.length * 2);
    }
    if (status !== undefined && status.ctimeSeconds + unsettledSeconds < now) {
      this.#bytes.writeBigUInt64LE(status.inode, this.#used);
      this.#bytes.writeDoubleLE(status.ctimeSeconds, this.#used + 8);
      this.#bytes.writeUInt32LE(status.ctimeNanoseconds, this.#used + 16);
      this.#bytes.writeUInt32LE(status.device >>> 0, this.#used + 20);
    }
    this.#used += rowLength;
  }

  take(): Uint8Array {
    return this.#bytes.subarray(0, this.#used);
  }
}

/** Reads the rows of an earlier capture; rows that are not there, or damaged, match nothing. */
export class HintReader {
  readonly #bytes: Buffer;

  constructor(content: Uint8Array | undefined) {
    const bytes =
      content === undefined ? Buffer.alloc(0) : Buffer.from(content.buffer, content.byteOffset, content.length);
    this.#bytes = bytes.subarray(0, magic.length).equals(magic) ? bytes.subarray(magic.length) : Buffer.alloc(0);
  }

  /** Whether the entry of this row is, by its inode and the time of its last change of any kind, what it was. */
  matches(row: number, status: FileStatus): boolean {
    const at = row * rowLength;
    if (at + rowLength > this.#bytes.length || status.inode === 0n) return false;
    return (
      this.#bytes.readBigUInt64LE(at) === status.inode &&
      this.#bytes.readDoubleLE(at + 8) === status.ctimeSeconds &&
      this.#bytes.readUInt32LE(at + 16) === status.ctimeNanoseconds &&
      this.#bytes.readUInt32LE(at + 20) === status.device >>> 0
    );
  }
}
