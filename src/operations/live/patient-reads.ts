import type { Clock } from '../../foundation/clock.ts';
import { type ImprintError, toImprintError } from '../../foundation/errors.ts';

/** The first pause, and the longest: a server that comes back is noticed within this. */
const [first, longest] = [200, 10_000];

export interface PatientReads {
  read(position: number, length: number): Promise<Uint8Array>;
  clock: Clock;
  /** Ends the waiting: what is asked for then, and what is waited for, fails. */
  signal: AbortSignal;
  /** Called when reads begin to fail, and with nothing when one works again. */
  tell(problem: ImprintError | undefined): void;
}

/**
 * Reads that wait out a server that is away, and ask again for what came wrong: what stands on this device must not be told of an error that a
 * minute mends. Wrong bytes are never given out: the reads below verify what they give.
 */
export function patientReads({
  read,
  clock,
  signal,
  tell,
}: PatientReads): (position: number, length: number) => Promise<Uint8Array> {
  let failing = 0;
  return async (position, length) => {
    let mine = false;
    for (let pause = first; ; pause = Math.min(pause * 2, longest)) {
      signal.throwIfAborted();
      try {
        const bytes = await read(position, length);
        if (mine) failing -= 1;
        if (mine && failing === 0) tell(undefined);
        return bytes;
      } catch (error) {
        // A range that there is not is nothing to wait for.
        if (error instanceof RangeError) throw error;
        if (!mine) failing += 1;
        if (!mine && failing === 1) tell(toImprintError(error));
        mine = true;
        await clock.sleep(pause, signal);
      }
    }
  };
}
