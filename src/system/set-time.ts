import type { Clock } from '../foundation/clock.ts';
import type { Processes } from './run.ts';

/** Seconds that a clock may be off before it is set. */
const tolerance = 30;

/** Sets this machine's clock (and the one on its board, for the next boot) where it is far off. Never rejects. */
export async function setSystemTime(processes: Processes, clock: Clock, time: number): Promise<void> {
  if (Math.abs(clock.now() - time) < tolerance * 1000) return;
  try {
    await processes.run('date', ['-u', '-s', `@${Math.round(time / 1000)}`], { timeout: 10_000 });
    await processes.run('hwclock', ['-u', '-w'], { timeout: 10_000 });
  } catch {
    // A wrong clock hinders no install.
  }
}
