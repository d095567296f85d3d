import { closeSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { rawPath } from '../foundation/brand.ts';
import { toImprintError } from '../foundation/errors.ts';
import { close, open, openFlags, seekData, seekHole } from '../native/files.ts';

/** A range of a file, in bytes. */
export interface FileRange {
  path: string;
  start: number;
}

const pieceLength = 4 << 20;
const zeros = Buffer.alloc(1 << 20);

/**
 * Makes a range of one file the same as one of another, reading and writing only what is data in either: what is a hole in the source reads as zeros afterwards.
 * Errors: `disk-full`, `io-failed`, `interrupted`.
 */
export function copySparse(from: FileRange, to: FileRange, length: number, signal: AbortSignal): void {
  try {
    const source = openSync(from.path, 'r');
    const target = openSync(to.path, 'r+');
    const buffer = Buffer.allocUnsafe(pieceLength);
    try {
      for (const { start, end, isData } of rangesOf(from.path, from.start, from.start + length)) {
        if (!isData) {
          clear(target, to.path, start - from.start + to.start, end - from.start + to.start);
          continue;
        }
        for (let at = start; at < end; ) {
          signal.throwIfAborted();
          const count = readSync(source, buffer, 0, Math.min(pieceLength, end - at), at);
          if (count === 0) break;
          for (let done = 0; done < count; )
            done += writeSync(target, buffer, done, count - done, at + done - from.start + to.start);
          at += count;
        }
      }
    } finally {
      closeSync(source);
      closeSync(target);
    }
  } catch (error) {
    throw toImprintError(Object.assign(error as NodeJS.ErrnoException, { path: to.path }));
  }
}

/** An empty file of a length. Errors: `disk-full`, `io-failed`. */
export function makeSparse(path: string, length: number): void {
  try {
    const fd = openSync(path, 'wx');
    ftruncateSync(fd, length);
    closeSync(fd);
  } catch (error) {
    throw toImprintError(Object.assign(error as NodeJS.ErrnoException, { path }));
  }
}

function clear(fd: number, path: string, start: number, end: number): void {
  for (const range of rangesOf(path, start, end)) {
    if (!range.isData) continue;
    for (let at = range.start; at < range.end; )
      at += writeSync(fd, zeros, 0, Math.min(zeros.length, range.end - at), at);
  }
}

/** Data and holes of a range, in order. */
function rangesOf(path: string, start: number, end: number): { start: number; end: number; isData: boolean }[] {
  const fd = open(rawPath(path), openFlags.readOnly);
  const ranges: { start: number; end: number; isData: boolean }[] = [];
  try {
    for (let at = start; at < end; ) {
      const data = seekData(fd, at);
      const from = data < 0 ? end : Math.min(data, end);
      if (from > at) ranges.push({ start: at, end: from, isData: false });
      if (from >= end) break;
      const hole = seekHole(fd, from);
      const to = hole < 0 ? end : Math.min(hole, end);
      ranges.push({ start: from, end: to, isData: true });
      at = to;
    }
  } finally {
    close(fd);
  }
  return ranges;
}
