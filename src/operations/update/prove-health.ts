import type { Clock } from '../../foundation/clock.ts';
import { checkHealth, type Health } from './health-checks.ts';
import type { ThisMachine } from './this-machine.ts';

/** What a proof needs of the machine. */
export type ProvenMachine = Pick<ThisMachine, 'processes' | 'clock' | 'root' | 'settings'>;

export interface Proof {
  /** Units that had failed in the version before. */
  failedBefore: readonly string[];
  serverReached?: () => Promise<boolean>;
  signal: AbortSignal;
  /** When the time of the trial began, in milliseconds since 1970: the boot. */
  since: number;
}

/** Milliseconds between two looks. */
const pause = 3000;

/**
 * Looks until the machine is healthy, or is not in time: once the system has started, each check may fail for `health.patience`; all of it may take
 * `health.timeout`. Returns the last look: without problems where it is healthy. Rejects only when aborted.
 */
export async function proveHealth(machine: ProvenMachine, proof: Proof): Promise<Health> {
  const { processes, root, settings } = machine;
  // A clock that is set meanwhile must not end the trial.
  const clock = steadyClock(machine.clock, proof.since);
  const end = settings.health.timeout;
  let up: number | undefined;
  for (;;) {
    const health = await checkHealth({
      ...{ processes, root, settings: settings.health, failedBefore: proof.failedBefore, signal: proof.signal },
      ...(proof.serverReached && { serverReached: proof.serverReached }),
    });
    if (health.problems.length === 0) return health;
    const passed = clock();
    if (!health.starting) up ??= passed;
    if (up !== undefined && passed - up >= settings.health.patience) return health;
    if (passed >= end) return health;
    await machine.clock.sleep(pause, proof.signal);
  }
}

/** Milliseconds since the trial began, by a clock that nobody sets. */
function steadyClock(clock: Clock, since: number): () => number {
  const begun = Math.max(0, clock.now() - since);
  const start = performance.now();
  return () => begun + (performance.now() - start);
}
