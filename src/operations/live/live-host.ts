import type { Clock } from '../../foundation/clock.ts';
import type { Task } from '../../foundation/task.ts';
import type { Processes } from '../../system/run.ts';
import type { FetchedImager } from '../media/fetch-imager.ts';

/** The machine that is started, as its imager sees it. */
export interface LiveHost {
  processes: Processes;
  clock: Clock;
  /** Where this process has the root mounted, as long as it works on it. */
  target: string;
  /** In memory. */
  directory: string;
  /** Bytes of content that are kept in memory. */
  room: number;
  /** The program that calls `serveLiveSource`. */
  serveCommand: readonly [string, ...string[]];
  /** Has the first process hand over to the init of the system at the target; resolves when that runs. */
  handOver(): Promise<void>;
  /** The imager itself, to be started from the disk until the move is done, and the server that it asks, or what else its kernel is told; undefined: it is not at hand. */
  imager(task: Task): Promise<{ server?: string; words?: readonly string[]; files: FetchedImager } | undefined>;
  /** Runs a program of the system that was started. */
  inSystem(program: string, args: readonly string[]): Promise<void>;
  /** What the agent of that system takes for the words of its kernel. */
  tellBootWords(words: string): Promise<void>;
  /** A line to everybody who works in that system, and to its consoles. Never rejects. */
  tell(line: string): Promise<void>;
  /** Told when the source cannot be read, and with nothing when it can again. */
  sourceTold?(problem: string | undefined): void;
}
