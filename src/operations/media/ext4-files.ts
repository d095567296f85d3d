import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type RawPath, rawPath } from '../../foundation/brand.ts';
import type { Task } from '../../foundation/task.ts';
import { type ChunkReference, comparePaths, type Entry } from '../../image/entry.ts';
import { blockSize } from '../../image/ext4/geometry.ts';
import { Ext4Tree } from '../../image/ext4/tree.ts';
import { type ContentPiece, writeExt4 } from '../../image/ext4/writer.ts';
import { ceilMebibytes } from '../../machine/medium-table.ts';
import type { DiskFile } from '../../system/disk-file.ts';
import { makeExt4InFile } from '../../system/filesystem.ts';
import type { Processes } from '../../system/run.ts';

/** A file that goes onto a medium: a file here, or bytes. */
export interface MediumFile {
  /** On the medium, without a slash in front. */
  path: string;
  source: string | Uint8Array;
  /** Bytes. */
  size: number;
}

/** Files as the tree of an ext4, and where each one's bytes come from. */
export interface Ext4Files {
  tree: Ext4Tree;
  /** Bytes of a file system that holds them with little to spare. */
  size: number;
  sources: ReadonlyMap<ChunkReference, MediumFile>;
}

const mebibyte = 2 ** 20;
const pieceLength = 4 << 20;
const journal = 4 * mebibyte;

/** Lays files (and the directories above them) out, all root's and of one time: seconds since 1970. */
export function layFiles(files: readonly MediumFile[], time: number): Ext4Files {
  const sources = new Map<ChunkReference, MediumFile>();
  const mtime = { seconds: time, nanoseconds: 0 };
  const common = { uid: 0, gid: 0, mtime };
  const entries = new Map<RawPath, Entry>();
  const addDirectory = (path: string) => {
    if (path !== '' && path !== '.') addDirectory(dirname(path));
    const raw = rawPath(path === '.' ? '' : path);
    entries.set(raw, { path: raw, type: 'directory', mode: 0o755, ...common });
  };
  addDirectory('');
  for (const file of files) {
    addDirectory(dirname(file.path));
    const path = rawPath(file.path);
    const chunk = { hash: createHash('sha256').update(file.path).digest(), length: file.size };
    sources.set(chunk, file);
    const chunks = file.size === 0 ? [] : [chunk];
    entries.set(path, { path, type: 'file', mode: 0o644, ...common, size: file.size, chunks });
  }
  const tree = new Ext4Tree();
  for (const entry of [...entries.values()].sort((left, right) => comparePaths(left.path, right.path))) tree.add(entry);
  const content = tree.blocks * blockSize + inodesOf(tree) * 256 + journal + 8 * mebibyte;
  return { tree, size: ceilMebibytes(Math.max(content * 1.03, 32 * mebibyte)), sources };
}

/** Makes an ext4 with these files at a place of the disk; every byte of it is written anew. Errors: `tool-missing`, `process-failed`, `disk-full`. */
export async function writeFilesAsExt4(
  processes: Processes,
  disk: DiskFile,
  place: { start: number; size: number; uuid: string; label: string; time: number; inodes?: number },
  { tree, sources }: Ext4Files,
  task: Task,
): Promise<void> {
  const { start, size, uuid, label, time } = place;
  disk.clear(start, size);
  const wish = {
    path: disk.path,
    offset: start,
    size,
    uuid,
    label,
    time,
    journal,
    inodes: place.inodes ?? inodesOf(tree),
  };
  await makeExt4InFile(processes, wish, task.signal);
  const pieces: ContentPiece[] = [];
  const blocks = {
    read: (block: number, count: number) => disk.read(start + block * blockSize, count * blockSize),
    write: (block: number, bytes: Uint8Array) => disk.write(start + block * blockSize, bytes),
  };
  writeExt4(tree, blocks, (piece) => pieces.push(piece));
  task.expect(tree.bytes, 'bytes');
  for (const piece of pieces) {
    const source = sources.get(piece.chunk);
    if (source === undefined) throw new RangeError('a piece of no file');
    await copyPiece(source, piece, (position, bytes) => disk.write(start + position, bytes), task);
  }
}

async function copyPiece(
  { source }: MediumFile,
  { skip, length, position }: ContentPiece,
  write: (position: number, bytes: Uint8Array) => void,
  task: Task,
): Promise<void> {
  if (typeof source !== 'string') {
    write(position, source.subarray(skip, skip + length));
    return task.advance(length);
  }
  await using file = await open(source, 'r');
  const buffer = Buffer.allocUnsafe(Math.min(pieceLength, length));
  for (let done = 0; done < length; ) {
    task.signal.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, length - done), skip + done);
    if (bytesRead === 0) throw new RangeError(`${source} became shorter while it was read`);
    write(position + done, buffer.subarray(0, bytesRead));
    done += bytesRead;
    task.advance(bytesRead);
  }
}

function inodesOf(tree: Ext4Tree): number {
  return tree.inodes + 64;
}
