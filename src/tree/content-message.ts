import type { ErrorValue } from '../foundation/errors.ts';
import type { DataSegment } from '../image/entry.ts';

import type { StopRequest } from './end-workers.ts';

/** What a thread that stores content is started with. */
export interface ContentWorkerData {
  /** Tells its packs from those of other threads. */
  index: number;
  /** Where packs are written. */
  directory: string;
  /** Bytes of content that it may compress thoroughly: see `PackFiles`. */
  thoroughly: number;
  claims: SharedArrayBuffer[];
  /** One number, not zero when the thread shall do nothing more. */
  stopped: SharedArrayBuffer;
}

/** What the main thread asks of it. */
export type ContentRequest =
  | { kind: 'files'; id: number; paths: string[] }
  /** Pieces of content, joined in `bytes`, each a chunk of at most 4 MiB. */
  | { kind: 'chunks'; id: number; bytes: Uint8Array; lengths: Uint32Array }
  | { kind: 'claims'; memory: SharedArrayBuffer }
  /** Finish the pack; nothing comes after it. */
  | { kind: 'finish'; id: number }
  | StopRequest;

/** What it answers; `stored` and `chunks` name the question. */
export type ContentAnswer =
  | ({ kind: 'stored'; id: number } & StoredFiles)
  | { kind: 'hashes'; id: number; hashes: Uint8Array }
  | { kind: 'pack'; path: string; pack: string }
  | { kind: 'progress'; bytes: number }
  | { kind: 'finished'; id: number }
  | { kind: 'failed'; error: ErrorValue };

/** How reading a file went: as it should; it changed at every try; it had gone; it cannot be read. */
export const fileOutcomes = ['stored', 'changing', 'gone', 'unreadable'] as const;

/** What became of a batch of files, in columns: a file at a time, in the order of the request. */
export interface StoredFiles {
  /** Index in `fileOutcomes`. */
  outcomes: Uint8Array;
  /** `statusColumns` numbers per file, of the open file when it was read; zeros where it was not opened. */
  statuses: Float64Array;
  inodes: BigUint64Array;
  /** Length in bytes, as it was read. */
  sizes: Float64Array;
  chunkCounts: Uint32Array;
  /** Of all files, one after another. */
  chunkLengths: Uint32Array;
  hashes: Uint8Array;
  /** Files with holes: their index in the batch and where their data lies. */
  segments: Map<number, DataSegment[]>;
  /** What went wrong, by index. */
  problems: Map<number, string>;
}

/** mode, uid, gid, device, mtime seconds and nanoseconds, ctime seconds and nanoseconds. */
export const statusColumns = 8;
