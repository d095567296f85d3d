import type { TaskEvent } from '../foundation/task.ts';

/** The events of one piece of work, for whoever comes and goes: each hears them from the first, and of what only counts the newest. */
export class EventLog {
  #events: TaskEvent[] = [];
  readonly #listeners = new Set<() => void>();
  #hasEnded = false;

  push(event: TaskEvent): void {
    const place = event.path.join('\0');
    if (event.kind === 'progress')
      this.#events = this.#events.filter((each) => each.kind !== 'progress' || each.path.join('\0') !== place);
    this.#events.push(event);
    this.#tell();
  }

  /** Nothing comes any more. */
  end(): void {
    this.#hasEnded = true;
    this.#tell();
  }

  /** Gives all events, those that are there and those that come; resolves when the last was given, or the listener has gone. */
  async follow(listener: (event: TaskEvent) => void, gone: AbortSignal): Promise<void> {
    let heard = 0;
    for (;;) {
      for (const event of this.#events.filter(({ seq }) => seq > heard)) {
        heard = event.seq;
        listener(event);
      }
      if (this.#hasEnded || gone.aborted) return;
      await this.#next(gone);
    }
  }

  #next(gone: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#listeners.delete(wake);
        gone.removeEventListener('abort', wake);
        resolve();
      };
      this.#listeners.add(wake);
      gone.addEventListener('abort', wake, { once: true });
    });
  }

  #tell(): void {
    for (const wake of [...this.#listeners]) wake();
  }
}
