import { open, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { toImprintError } from '../foundation/errors.ts';
import { plainTarHeader, tarEnd, tarPadding } from '../image/tar-writer.ts';
import { makeDirectories } from '../store/make-directories.ts';
import type { WriteBytes } from './export-formats.ts';
import { openForWriting } from './export-target.ts';

/** A blob whose name and length are known when it is written. */
export interface OpenBlob {
  write: WriteBytes;
  finish(path: string, size: number): Promise<void>;
}

/** Where the files of an OCI image layout go, one after another. */
export interface ImageLayout extends AsyncDisposable {
  file(path: string, bytes: Uint8Array): Promise<void>;
  /** Must be finished before another file begins. */
  beginBlob(): Promise<OpenBlob>;
  /** Bytes of all files, or of the archive. */
  finish(): Promise<number>;
}

/** A layout in a tar file: the header before a blob is written when its length is known. Files in the order in which they came. */
export async function layoutInArchive(path: string): Promise<ImageLayout> {
  const file = await open(path, 'r+');
  let end = 0;
  const put = async (bytes: Uint8Array, position: number) => {
    try {
      for (let at = 0; at < bytes.length; )
        at += (await file.write(bytes, at, bytes.length - at, position + at)).bytesWritten;
    } catch (error) {
      throw toImprintError(Object.assign(error as NodeJS.ErrnoException, { path }));
    }
  };
  const append = async (bytes: Uint8Array) => {
    await put(bytes, end);
    end += bytes.length;
  };
  await append(plainTarHeader('blobs/', 0, 'directory'));
  await append(plainTarHeader('blobs/sha256/', 0, 'directory'));
  return {
    file: async (name, bytes) => {
      const padding = tarEnd.subarray(0, tarPadding(bytes.length));
      await append(Buffer.concat([plainTarHeader(name, bytes.length), bytes, padding]));
    },
    beginBlob: async () => {
      const header = end;
      await append(plainTarHeader('unfinished', 0));
      return {
        write: append,
        finish: async (name, size) => {
          await put(plainTarHeader(name, size), header);
          await append(tarEnd.subarray(0, tarPadding(size)));
        },
      };
    },
    finish: async () => {
      await append(tarEnd);
      return end;
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}

/** A layout in a directory that is empty. */
export async function layoutInDirectory(directory: string): Promise<ImageLayout> {
  await makeDirectories(join(directory, 'blobs/sha256'));
  let total = 0;
  let unfinished: AsyncDisposable | undefined;
  return {
    file: async (name, bytes) => {
      await writeFile(join(directory, name), bytes, { flag: 'wx' });
      total += bytes.length;
    },
    beginBlob: async () => {
      const aside = join(directory, 'blobs/unfinished');
      const file = await openForWriting(aside);
      unfinished = file;
      return {
        write: file.write,
        finish: async (name, size) => {
          unfinished = undefined;
          await file[Symbol.asyncDispose]();
          await rename(aside, join(directory, name));
          total += size;
        },
      };
    },
    finish: async () => total,
    [Symbol.asyncDispose]: async () => unfinished?.[Symbol.asyncDispose](),
  };
}
