import { hash as hashOf } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { resolve } from 'node:path';
import type { RawPath } from '../foundation/brand.ts';
import type { DataSegment, Entry } from '../image/entry.ts';

/** A chunk as a directory holds it: its content, or undefined where the file has changed since. */
export interface TreeChunk {
  path: RawPath;
  hash: Uint8Array;
  content: Buffer | undefined;
}

/**
 * Looks for chunks in the files of a directory, each file at the path and place that the entries give it; every chunk is
 * checked against its hash. Files that are not there, or cannot be read, give nothing; symlinks are not followed.
 */
export async function* readTreeChunks(
  directory: string,
  entries: AsyncIterable<Entry[]>,
  wanted: (hash: Uint8Array) => boolean,
): AsyncGenerator<TreeChunk> {
  const root = Buffer.from(`${resolve(directory)}/`);
  for await (const batch of entries) {
    for (const entry of batch) {
      if (entry.type !== 'file' || !entry.chunks?.some(({ hash }) => wanted(hash))) continue;
      const fd = openFile(Buffer.concat([root, Buffer.from(entry.path, 'latin1')]));
      if (fd === undefined) continue;
      try {
        yield* chunksOf(fd, entry, wanted);
      } finally {
        closeSync(fd);
      }
    }
  }
}

function* chunksOf(fd: number, entry: Entry, wanted: (hash: Uint8Array) => boolean): Generator<TreeChunk> {
  const segments = entry.segments ?? [{ offset: 0, length: entry.size ?? 0 }];
  let at = 0;
  for (const { hash, length } of entry.chunks ?? []) {
    if (wanted(hash)) {
      const content = readData(fd, segments, at, length);
      const same = content !== undefined && hashOf('sha256', content, 'buffer').equals(hash);
      yield { path: entry.path, hash, content: same ? content : undefined };
    }
    at += length;
  }
}

/** Bytes of a file's data, holes left out; undefined where the file is shorter, or cannot be read. */
function readData(fd: number, segments: readonly DataSegment[], from: number, length: number): Buffer | undefined {
  const content = Buffer.alloc(length);
  let done = 0;
  let before = 0;
  try {
    for (const segment of segments) {
      const skip = Math.max(0, from - before);
      before += segment.length;
      if (skip >= segment.length) continue;
      const part = Math.min(segment.length - skip, length - done);
      for (let got = 0; got < part; ) {
        const bytes = readSync(fd, content, done + got, part - got, segment.offset + skip + got);
        if (bytes === 0) return undefined;
        got += bytes;
      }
      done += part;
      if (done === length) return content;
    }
  } catch {
    return undefined;
  }
  return undefined;
}

function openFile(path: Buffer): number | undefined {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if (fstatSync(fd).isFile()) return fd;
    closeSync(fd);
  } catch {
    // Not there, or no right to it: another source may have it.
  }
  return undefined;
}
