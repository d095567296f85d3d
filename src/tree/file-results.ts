import type { Entry } from '../image/entry.ts';
import type { FileStatus } from '../native/status.ts';
import { fileOutcomes, type StoredFiles, statusColumns } from './content-message.ts';

/** Reads the columns of a batch, file after file. */
export class FileResults {
  readonly #files: StoredFiles;
  #chunk = 0;

  constructor(files: StoredFiles) {
    this.#files = files;
  }

  outcome(index: number): (typeof fileOutcomes)[number] {
    return fileOutcomes[this.#files.outcomes[index] as number] ?? 'unreadable';
  }

  problem(index: number): string {
    return this.#files.problems.get(index) ?? '';
  }

  /** The content of the next file; must be asked for each in order. */
  next(index: number): Pick<Entry, 'size' | 'chunks' | 'segments'> {
    const { chunkCounts, chunkLengths, hashes, sizes, segments } = this.#files;
    const content: Pick<Entry, 'size' | 'chunks' | 'segments'> = { size: sizes[index] as number };
    const count = chunkCounts[index] as number;
    if (count > 0) {
      content.chunks = Array.from({ length: count }, (_, offset) => {
        const at = this.#chunk + offset;
        return { hash: hashes.subarray(at * 32, at * 32 + 32), length: chunkLengths[at] as number };
      });
      this.#chunk += count;
    }
    const holes = segments.get(index);
    if (holes !== undefined) content.segments = holes;
    return content;
  }

  /** The status of the file when it was read; what is not in the columns is as it was on the walk. */
  status(index: number, walked: FileStatus): FileStatus {
    const at = (column: number) => this.#files.statuses[index * statusColumns + column] as number;
    return {
      ...walked,
      mode: at(0),
      uid: at(1),
      gid: at(2),
      size: this.#files.sizes[index] as number,
      device: at(3),
      mtimeSeconds: at(4),
      mtimeNanoseconds: at(5),
      ctimeSeconds: at(6),
      ctimeNanoseconds: at(7),
      inode: this.#files.inodes[index] as bigint,
    };
  }
}
