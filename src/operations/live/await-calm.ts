import type { Clock } from '../../foundation/clock.ts';
import type { Task } from '../../foundation/task.ts';
import type { ProcessorTime } from '../../system/idle-time.ts';

/** Milliseconds: how long a system is looked at, and after how long nobody waits for it any more. */
const [window, longest] = [3000, 120_000];

export interface StartingSystem {
  /** How busy the machine was so far. */
  processorTime(): Promise<ProcessorTime>;
  /** Bytes that were fetched for it so far. */
  fetched(): number;
  clock: Clock;
}

/**
 * Resolves when a system that was just started has come up: when for some seconds it asked for nothing new and its processors had half of their time
 * left, and in any case after two minutes. A copy that begins at once takes processor, network and disk from the start of everything that people wait for.
 * Errors: those of the clock, where the task is aborted.
 */
export async function awaitCalm({ processorTime, fetched, clock }: StartingSystem, task: Task): Promise<void> {
  const look = async () => ({ time: await processorTime(), bytes: fetched() });
  let before = await look();
  for (let waited = 0; waited < longest; waited += window) {
    await clock.sleep(window, task.signal);
    const now = await look();
    const idle = now.time.idle - before.time.idle;
    if (now.bytes === before.bytes && idle * 2 >= now.time.total - before.time.total) return;
    before = now;
  }
}
