import type { ErrorValue } from '../foundation/errors.ts';
import type { ExtendedAttribute } from '../image/entry.ts';

/** What a thread that writes files is started with. */
export interface RestoreWorkerData {
  /** For people: where the packs come from. */
  store: string;
  /** Absolute path of the target, in latin1. */
  target: string;
  umask: number;
  uid: number;
  gid: number;
  /** Of each file that several units write: how many of them have not done so yet. */
  remaining: SharedArrayBuffer;
  /** One number, not zero when the thread shall do nothing more. */
  stopped: SharedArrayBuffer;
}

/** Attributes of an entry, in the form that they are set in. */
export interface Attributes {
  mode: number;
  uid: number;
  gid: number;
  seconds: number;
  nanoseconds: number;
  xattrs: readonly ExtendedAttribute[] | undefined;
}

/**
 * A unit of work: a run of frames of one pack, and all that is to be written of their content. Columns, one row per frame,
 * file and piece.
 */
export interface RestoreUnit {
  id: number;
  pack: string;
  /** The run: the pack's file to read it from, or its bytes. */
  source: { path: string; offset: number; length: number } | { bytes: Uint8Array };
  /** Offset in the run, compressed length, length of content. */
  frames: Uint32Array;
  paths: string[];
  /** mode, uid, gid, mtime seconds and nanoseconds, size where there are holes (else −1), row in `remaining` (else −1). */
  files: Float64Array;
  /** Index in `files` → what is set on it. */
  xattrs: Map<number, readonly ExtendedAttribute[]>;
  /** Row of the file (rows of one file lie together), offset in the joined content of the frames, length, offset in the file. */
  pieces: Float64Array;
  /** Chunks to check: offset in the joined content, length. */
  chunks: Uint32Array;
  /** 32 bytes for each. */
  hashes: Uint8Array;
}

export const frameColumns = 3;
export const fileColumns = 7;
export const pieceColumns = 4;
export const chunkColumns = 2;

export type RestoreAnswer =
  | { kind: 'written'; id: number; bytes: number; warnings: string[] }
  | { kind: 'failed'; error: ErrorValue };
