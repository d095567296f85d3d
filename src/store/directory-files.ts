import { access, type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FormatError } from '../image/format-error.ts';
import type { FileState, RangeSink, StoreFiles, Traffic } from './store-files.ts';

const pieceLength = 1 << 20;

/** The files of a store in a directory. */
export class DirectoryFiles implements StoreFiles {
  readonly location: string;
  readonly traffic: Traffic = { bytes: 0, requests: 0 };

  constructor(directory: string) {
    this.location = directory;
  }

  async read(path: string, limit: number): Promise<Buffer | undefined> {
    return this.#with(path, async (file) => {
      if ((await file.stat()).size > limit) throw new FormatError('it is far too long');
      return file.readFile();
    });
  }

  async readRange(path: string, offset: number, length: number): Promise<Buffer | undefined> {
    return this.#with(path, async (file) => {
      const buffer = Buffer.allocUnsafeSlow(length);
      let done = 0;
      while (done < length) {
        const { bytesRead } = await file.read(buffer, done, length - done, offset + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return buffer.subarray(0, done);
    });
  }

  async length(path: string): Promise<number | undefined> {
    const result = await ifThere(stat(this.localPath(path)));
    return result?.size;
  }

  async state(path: string): Promise<FileState | undefined> {
    const length = await this.length(path);
    return length === undefined ? undefined : { length };
  }

  async copy(path: string, { offset, length }: { offset: number; length: number }, sink: RangeSink): Promise<boolean> {
    for (let done = 0; done < length; ) {
      const piece = await this.readRange(path, offset + done, Math.min(pieceLength, length - done));
      if (piece === undefined || piece.length === 0) return false;
      await sink(piece, offset + done);
      done += piece.length;
    }
    return true;
  }

  localPath(path: string): string {
    return join(this.location, path);
  }

  /** Names in a directory, sorted; none where it is not there. */
  async names(path: string): Promise<string[]> {
    return (await ifThere(readdir(this.localPath(path))))?.toSorted() ?? [];
  }

  async close(): Promise<void> {}

  async #with<Result>(path: string, work: (file: FileHandle) => Promise<Result>): Promise<Result | undefined> {
    const file = await ifThere(open(this.localPath(path), 'r'));
    if (file === undefined) return undefined;
    try {
      return await work(file);
    } catch (error) {
      // To who needs it, a file that its disk has lost is damaged like any other, and no reason to give up on the rest.
      if ((error as NodeJS.ErrnoException).code === 'EIO')
        throw new FormatError('its disk cannot read it', { cause: error });
      throw error;
    } finally {
      await file.close();
    }
  }
}

/** What a call gives, undefined where the path does not exist. */
export async function ifThere<Result>(call: Promise<Result>): Promise<Result | undefined> {
  try {
    return await call;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** Whether something is at the path, as far as we may see. */
export function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
