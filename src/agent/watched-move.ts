import type { LiveStatus } from '../contract/live-control.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { TaskEvent } from '../foundation/task.ts';
import { EventLog } from './event-log.ts';
import type { OrderResult } from './install-order.ts';

type Listener = (event: TaskEvent) => void;

/** A move of the system that runs here, for whoever comes to watch it, and as often as it is tried. */
export class WatchedMove {
  readonly id: string;
  readonly #disk: () => string;
  #events = new EventLog();
  #result: OrderResult | undefined;

  constructor(id: string, disk: () => string) {
    this.id = id;
    this.#disk = disk;
  }

  get disk(): string {
    return this.#disk();
  }

  get state(): NonNullable<LiveStatus['move']>['state'] {
    if (this.#result === undefined) return 'running';
    return this.#result.kind === 'installed' ? 'finished' : 'failed';
  }

  push(event: TaskEvent): void {
    this.#events.push(event);
  }

  /** It is tried once more: who comes from now on hears of that alone. */
  again(): void {
    this.#events = new EventLog();
    this.#result = undefined;
  }

  end(result: OrderResult): void {
    this.#result = result;
    this.#events.end();
  }

  /** Resolves with how it ended; undefined: the listener has gone. */
  async follow(listener: Listener, gone: AbortSignal): Promise<OrderResult | undefined> {
    await this.#events.follow(listener, gone);
    return gone.aborted ? undefined : this.#result;
  }

  /** Why no other is begun. */
  busy(): ImprintError {
    const state = { running: 'it is on its way', finished: 'it is there', failed: 'that broke off' }[this.state];
    return new ImprintError('live-busy', { disk: this.disk, state });
  }
}
