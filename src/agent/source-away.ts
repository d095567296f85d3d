import type { Clock } from '../foundation/clock.ts';
import { sourceWords } from '../operations/live/live-words.ts';

export interface SourceAwayHost {
  clock: Clock;
  /** What the system comes from, for people: `the medium …`. */
  from: string;
  /** A line to everybody who works in the system. */
  tell(line: string): Promise<void>;
  /** Looks whether it is plugged in again, at another place maybe; absent: it can only come back where it was. */
  findAgain?(): Promise<void>;
  signal: AbortSignal;
}

const pause = 5000;

/** What a live system comes from, where that cannot be read: says so, and looks for it until it is back. */
export class SourceAway {
  readonly #host: SourceAwayHost;
  #problem: string | undefined;
  #looking = false;
  /** Called with the same as `told`. */
  also: (problem: string | undefined) => void = () => {};

  constructor(host: SourceAwayHost) {
    this.#host = host;
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  /** It cannot be read, or (no problem) it can again. */
  readonly told = (problem: string | undefined): void => {
    this.#problem = problem;
    this.also(problem);
    void this.#host.tell(`imprint: ${sourceWords(this.#host.from, problem)}`).catch(() => {});
    if (problem !== undefined && !this.#looking) void this.#look();
  };

  async #look(): Promise<void> {
    const { clock, findAgain, signal } = this.#host;
    this.#looking = true;
    try {
      while (!signal.aborted) {
        await clock.sleep(pause, signal);
        if (this.#problem === undefined) return;
        await findAgain?.().catch(() => {});
      }
    } catch {
      // The machine goes down.
    } finally {
      this.#looking = false;
    }
  }
}
