import type { Clock } from '../../foundation/clock.ts';
import type { Task } from '../../foundation/task.ts';
import type { ImageContent } from '../../machine/image-content.ts';
import type { Processes } from '../../system/run.ts';

/** What the executors of an install work with. */
export interface InstallContext {
  readonly processes: Processes;
  readonly clock: Clock;
  /** Where the new root is mounted while it is filled. */
  readonly target: string;
  /** What the manifest told of the image. */
  readonly content: ImageContent;
  /** Fills the target with the version, verified; keeps what it wrote on failure. */
  restore(target: string, task: Task): Promise<void>;
  /** Where GRUB's files are; default: where the distribution has them. */
  readonly grub?: string;
}
