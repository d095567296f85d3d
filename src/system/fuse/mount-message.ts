import type { ErrorValue } from '../../foundation/errors.ts';
import type { VersionTable } from '../../tree/version-table.ts';

/** What the thread that answers the kernel is started with. */
export interface MountWorkerData {
  table: VersionTable;
  /** For people: where the packs come from. */
  store: string;
  /** Number of the open `/dev/fuse`, which the whole process shares. */
  device: number;
  /** Pack → its file, where the store is on this machine. */
  files: ReadonlyMap<string, string>;
  /** State and length of a frame that the main thread fetches: 0 waiting, 1 there, 2 failed. */
  state: SharedArrayBuffer;
  /** Where it puts the frame. */
  frame: SharedArrayBuffer;
}

/** What the thread says. */
export type MountWorkerMessage =
  | { kind: 'fetch'; pack: string; offset: number; length: number }
  /** A file could not be read. */
  | { kind: 'damage'; node: number; error: ErrorValue }
  /** The file system was unmounted. */
  | { kind: 'ended' };

/** Longer than any frame is stored. */
export const frameRoom = 9 << 20;
