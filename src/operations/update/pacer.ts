import { type Clock, systemClock } from '../../foundation/clock.ts';

/** Longest wait at once, in milliseconds: an abort shall be noticed. */
const longestWait = 1000;

/** Holds a transfer down to so many bytes a second; what was not used in a pause is not made up for later. */
export class Pacer {
  readonly #rate: number | undefined;
  readonly #signal: AbortSignal;
  readonly #clock: Clock;
  /** When the bytes that were let through so far would be through at the rate. */
  #due = 0;

  /** `rate`: bytes per second; undefined: no limit. */
  constructor(rate: number | undefined, signal: AbortSignal, clock: Clock = systemClock) {
    this.#rate = rate;
    this.#signal = signal;
    this.#clock = clock;
  }

  /** Waits until `bytes` more may pass. Rejects with the signal's reason. */
  async pass(bytes: number): Promise<void> {
    this.#signal.throwIfAborted();
    if (this.#rate === undefined) return;
    const now = this.#clock.now();
    this.#due = Math.max(this.#due, now) + (bytes * 1000) / this.#rate;
    for (let left = this.#due - now; left > 0; left -= longestWait)
      await this.#clock.sleep(Math.min(left, longestWait), this.#signal);
  }
}
