import type { LiveStatus } from '../contract/live-control.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { TaskEvent } from '../foundation/task.ts';
import type { AnsweringOrders } from './live-control.ts';
import type { WatchedMove } from './watched-move.ts';

type Listener = (event: TaskEvent) => void;

/** A move that nobody in the system ordered: its server did, or somebody before the machine's last restart. */
export interface OrderedMove {
  /** `web:3`. */
  readonly image: string;
  readonly digest: string;
  readonly watched: WatchedMove;
  needsSource(): boolean;
  /** Why the source cannot be read now. */
  problem(): string | undefined;
  /** Tries it once more; absent: only who ordered it can. */
  again?(): void;
}

/** Answers in a system that moves by such an order: what goes on can be watched, and there is no other. */
export class MoveOrders implements AnsweringOrders {
  readonly #move: OrderedMove;

  constructor(move: OrderedMove) {
    this.#move = move;
  }

  async status(): Promise<LiveStatus> {
    const { image, digest, watched, needsSource, problem, again } = this.#move;
    const { id, disk, state } = watched;
    const words = problem();
    return {
      ...{ image, digest, needsMedium: needsSource() },
      ...(words !== undefined && { problem: words }),
      move: { id, disk, state, ...(state === 'failed' && again !== undefined && { goesOn: true }) },
    };
  }

  async plan(): Promise<never> {
    throw this.#move.watched.busy();
  }

  async install(): Promise<never> {
    throw this.#move.watched.busy();
  }

  async follow(listener: Listener, gone: AbortSignal): Promise<void> {
    const { watched } = this.#move;
    const result = await watched.follow(listener, gone);
    if (result === undefined || result.kind === 'installed') return;
    if (result.error.code === 'live-changes-lost') throw result.error;
    throw new ImprintError('live-broken-off', {
      disk: watched.disk,
      problem: result.error.message.replace(/\.$/, ''),
      state: this.#move.needsSource() ? 'what it comes from is still needed' : 'all of it is there',
    });
  }

  async goOn(listener: Listener, gone: AbortSignal): Promise<void> {
    const { watched, again } = this.#move;
    if (watched.state !== 'running' && (watched.state === 'finished' || again === undefined)) throw watched.busy();
    if (watched.state === 'failed') {
      watched.again();
      again?.();
    }
    await this.follow(listener, gone);
  }
}
