import type { Clock } from '../foundation/clock.ts';
import { toImprintError } from '../foundation/errors.ts';

/** Milliseconds between two looks. */
const pause = 10_000;

export interface RoomWatch {
  clock: Clock;
  signal: AbortSignal;
  /** Makes room where it is about to run out; what was done, in words. */
  relieve(): Promise<string | undefined>;
  log(message: string): void;
}

/** Sees to it that a host partition does not run full under the root that runs, until the signal ends it. What fails is said once, and tried again. */
export async function watchRoom({ clock, signal, relieve, log }: RoomWatch): Promise<void> {
  let told = '';
  while (!signal.aborted) {
    try {
      const done = await relieve();
      told = '';
      if (done !== undefined) log(done);
    } catch (thrown) {
      const { message } = toImprintError(thrown);
      if (message !== told) log(`no room could be made on the host partition: ${message}`);
      told = message;
    }
    await clock.sleep(pause, signal).catch(() => {});
  }
}
