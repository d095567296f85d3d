import type { Task } from '../../foundation/task.ts';
import type { SectorRun } from '../../machine/copied-map.ts';

/** Where the blocks of a live system's root come from until they lie on the disk. */
export interface LiveOrigin extends AsyncDisposable {
  /** Block device. */
  readonly device: string;
  /** Runs of bytes that read as zeros; need not be all. */
  readonly zeros: readonly { start: number; length: number }[];
  /** Bytes of it, for who is in no hurry. */
  read(position: number, length: number): Promise<Uint8Array>;
  /** Whether somebody waits for bytes of it at this moment. */
  isWanted(): Promise<boolean>;
}

/** A root that is in use before anybody says onto which disk it is to move. */
export interface RunningRoot {
  readonly origin: LiveOrigin;
  /** Of its file system, and when that says it was made (seconds since 1970). */
  readonly uuid: string;
  readonly time: number;
  /** What of the origin a power cut takes away, from when nothing writes to it any more. */
  kept(): Promise<readonly SectorRun[]>;
  /** Called when changes go to the disk: nothing writes to the origin any more. */
  changesMoved(task: Task): Promise<void>;
}
