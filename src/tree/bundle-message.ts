import type { Digest } from '../foundation/brand.ts';
import type { ErrorValue } from '../foundation/errors.ts';
import type { FrameGroup } from '../image/bundle-frames.ts';
import type { StopRequest } from './end-workers.ts';

/** A piece of content: part of a chunk in a frame of a pack, or bytes that are there already. */
export type BundlePiece =
  | {
      /** Path of the pack. */
      pack: string;
      frameOffset: number;
      frameLength: number;
      frameContentLength: number;
      /** Where the piece begins in the frame's content, and its length. */
      offset: number;
      length: number;
      /** SHA-256 that it must have, 32 bytes. */
      hash?: Uint8Array;
    }
  | { bytes: Uint8Array; length: number };

/** Frames to be compressed one after another, all with the same prefix. */
export interface BundleJob {
  id: number;
  prefix: BundlePiece[];
  frames: BundlePiece[][];
}

export interface BundleWorkerData {
  /** For messages: the store. */
  store: string;
  level: number;
}

export type BundleRequest = BundleJob | StopRequest;
export type BundleAnswer =
  | { kind: 'frames'; id: number; frames: Uint8Array<ArrayBuffer>[] }
  | { kind: 'failed'; error: ErrorValue };

/** What a bundle will bring and where all of it lies in the store, in columns: few objects, whose memory goes from thread to thread. */
export interface PlannedBundle {
  /** Frames with the same prefix; how many pieces make up that prefix. */
  jobs: (FrameGroup & { prefixPieces: number })[];
  /** Paths of the packs. */
  packs: string[];
  /** `pieceFields` numbers for each piece, job by job: those of its prefix, then a chunk each. */
  pieces: Float64Array<ArrayBuffer>;
  /** SHA-256 of the missing chunks, one after another. */
  hashes: Uint8Array<ArrayBuffer>;
  /** Missing chunks, and bytes of all of them. */
  chunks: number;
  contentBytes: number;
}

/** Of a piece in a `PlannedBundle`: the number of its pack, then what `BundlePiece` has, in its order. */
export const pieceFields = 6;

export interface BundlePlanWorkerData {
  /** A directory. */
  store: string;
  from: Digest;
  to: Digest;
}

export type BundlePlanAnswer = { kind: 'planned'; plan: PlannedBundle } | { kind: 'failed'; error: ErrorValue };
