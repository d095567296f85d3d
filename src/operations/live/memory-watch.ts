import type { Clock } from '../../foundation/clock.ts';
import {
  type MemoryLevel,
  type MemoryState,
  memoryWarning,
  nextMemoryLevel,
  unwrittenLimit,
  writersPause,
} from '../../planning/memory-guard.ts';
import type { RootWriters } from '../../system/root-writers.ts';

/** Milliseconds between two looks: what is written in that time must fit into what is left. */
const [slow, quick] = [250, 50];
/** Milliseconds after which the limit for what waits to be written is set again: the system may set it for itself. */
const again = 5000;

/** Watches the memory that a live system's writes are kept in, and sees that it never overflows. */
export class MemoryWatch {
  readonly #writers: RootWriters;
  readonly #state: () => Promise<MemoryState>;
  readonly #clock: Clock;
  readonly #place: 'memory' | 'file' | undefined;
  readonly #end = new AbortController();
  #level: MemoryLevel = 'calm';
  #running: Promise<void> = Promise.resolve();

  constructor(writers: RootWriters, state: () => Promise<MemoryState>, clock: Clock, place?: 'memory' | 'file') {
    this.#place = place;
    this.#writers = writers;
    this.#state = state;
    this.#clock = clock;
  }

  get level(): MemoryLevel {
    return this.#level;
  }

  /** From now on. */
  start(): void {
    this.#running = this.#run().catch(() => {});
  }

  /** One look, and what follows from it; resolves when writers may go on. Errors: those of the writers. */
  async look(): Promise<void> {
    const state = await this.#state();
    const before = this.#level;
    const level = nextMemoryLevel(state, before);
    // Where it fails, the next look tries again.
    if (level === 'stopped' && before !== 'stopped') await this.#writers.stop();
    if (level === 'slowed') await this.#writers.hold(writersPause(state));
    this.#level = level;
    const warning = level === before ? undefined : memoryWarning(level, state, this.#place);
    // Whoever does not read must not keep the next look waiting.
    if (warning !== undefined) void this.#writers.tell(`imprint: ${warning}`).catch(() => {});
  }

  async #run(): Promise<void> {
    const { signal } = this.#end;
    let limited = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      const { used, size } = await this.#state();
      if (performance.now() - limited > again) {
        await this.#writers.limit(unwrittenLimit(size)).catch(() => {});
        limited = performance.now();
      }
      await this.look().catch(() => {});
      await this.#clock.sleep(used > size / 2 ? quick : slow, signal);
    }
  }

  /** Changes lie elsewhere: nothing is watched any more, and everything may be written again. Errors: those of the writers. */
  async end(): Promise<void> {
    this.#end.abort();
    await this.#running;
    const before = this.#level;
    this.#level = 'calm';
    await this.#writers.limit(undefined);
    await this.#writers.release();
    if (before === 'stopped') void this.#writers.tell('imprint: The root can be written again.').catch(() => {});
  }
}
