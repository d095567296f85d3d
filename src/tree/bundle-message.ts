import type { ErrorValue } from '../foundation/errors.ts';
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
export type BundleAnswer = { kind: 'frames'; id: number; frames: Uint8Array[] } | { kind: 'failed'; error: ErrorValue };
