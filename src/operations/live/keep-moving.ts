import type { Clock } from '../../foundation/clock.ts';
import { type ImprintError, toImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';

/** Milliseconds before each further try; behind the last one somebody has to look at the machine. */
const pauses = [10_000, 30_000, 60_000, 120_000];

export interface KeptMove {
  /** One try; resolves when the move is done. */
  attempt(): Promise<void>;
  /** How far it is: more than before, and the tries count anew. */
  progress(): number;
  /** Called behind each try that failed, at once: what is not known to last is taken back. */
  failed(): void;
  /** Called before each further try: brings what broke off in its middle to what was written down. */
  mend(): Promise<void>;
  clock: Clock;
}

/**
 * Tries a move again that a disk broke off: a cable may be loose for a moment, and a bad block be replaced by the disk itself. A disk that fails again and again is given up, and
 * everything stays as it is. Errors: the last one; `live-changes-lost` at once.
 */
export async function keepMoving({ attempt, progress, failed, mend, clock }: KeptMove, task: Task): Promise<void> {
  let best = progress();
  for (let tries = 0; ; ) {
    try {
      await attempt();
      return;
    } catch (thrown) {
      failed();
      const error = toImprintError(thrown);
      if (task.signal.aborted || error.code === 'live-changes-lost') throw error;
      if (progress() > best) tries = 0;
      best = Math.max(best, progress());
      await again(error, pauses[tries], clock, task);
      tries += 1;
      await mend().catch((problem) => task.log(toImprintError(problem).message));
    }
  }
}

async function again(error: ImprintError, pause: number | undefined, clock: Clock, task: Task): Promise<void> {
  if (pause === undefined) throw error;
  task.warn(`${error.message} The system runs on as it is, and it is tried again in ${pause / 1000} seconds.`);
  await clock.sleep(pause, task.signal);
}
