import type { Clock } from '../foundation/clock.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { TaskEvent } from '../foundation/task.ts';

export interface SpoolOptions {
  /** Sends a batch; rejects with `server-unreachable` where it should be tried again. */
  send(events: TaskEvent[]): Promise<unknown>;
  clock: Clock;
  /** Milliseconds between two batches. */
  interval?: number;
}

const batchSize = 200;
const spoolSize = 5000;

/**
 * Events on their way to the server: in batches, in order, kept while the server is away. When too many wait, progress goes
 * first, as only the newest of it matters.
 */
export class EventSpool {
  readonly #options: SpoolOptions;
  #waiting: TaskEvent[] = [];
  #sending: Promise<void> | undefined;
  #closed = false;

  constructor(options: SpoolOptions) {
    this.#options = options;
  }

  push(event: TaskEvent): void {
    this.#waiting.push(event);
    if (this.#waiting.length > spoolSize) this.#waiting = this.#waiting.filter(({ kind }) => kind !== 'progress');
    this.#sending ??= this.#run();
  }

  /** Sends what is left, for at most `patience` milliseconds, and takes no more. */
  async close(patience: number): Promise<void> {
    this.#closed = true;
    const limit = this.#options.clock.sleep(patience);
    await Promise.race([this.#sending, limit]);
    this.#waiting = [];
  }

  async #run(): Promise<void> {
    const { clock, interval = 500 } = this.#options;
    let pause = interval;
    while (this.#waiting.length > 0) {
      if (!this.#closed) await clock.sleep(pause);
      const batch = this.#waiting.slice(0, batchSize);
      if (batch.length === 0) break;
      try {
        await this.#options.send(batch);
        const sent = new Set(batch);
        this.#waiting = this.#waiting.filter((event) => !sent.has(event));
        pause = interval;
      } catch (thrown) {
        if (!(thrown instanceof ImprintError) || thrown.code !== 'server-unreachable') this.#waiting = [];
        pause = Math.min(pause * 2, 15_000);
        if (this.#closed) await clock.sleep(1000);
      }
    }
    this.#sending = undefined;
  }
}
