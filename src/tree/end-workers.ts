import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';

/** What a thread is told last: to close what it has open and end. */
export interface StopRequest {
  kind: 'stop';
}

/** A thread that does not end by itself within this many milliseconds hangs in the kernel, and is left to it. */
const patience = 15_000;

/**
 * Ends threads. They are asked to, and look at `stopped` between one file and the next: a thread that is ended by force leaves the
 * files open that it opened by native calls, and their file system could not be unmounted.
 */
export async function endWorkers(workers: readonly Worker[], stopped: SharedArrayBuffer): Promise<void> {
  Atomics.store(new Int32Array(stopped), 0, 1);
  await Promise.all(
    workers.map(async (worker) => {
      if (worker.threadId < 0) return;
      const ended = once(worker, 'exit').catch(() => {});
      worker.postMessage({ kind: 'stop' } satisfies StopRequest);
      const timer = setTimeout(() => void worker.terminate(), patience);
      await ended;
      clearTimeout(timer);
    }),
  );
}
