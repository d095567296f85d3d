import type { Digest } from '../foundation/brand.ts';
import { takeLease } from './lease.ts';

/** For how long a version that was read is held without being asked for, in milliseconds. */
const holdTime = 60 * 60 * 1000;

/** The leases of one opened store: those that its users asked for, and those that reading takes by itself. */
export class Leases {
  readonly #manifestOf: (digest: Digest) => string;
  readonly #held = new Map<Digest, { lease: Disposable; timer: NodeJS.Timeout }>();

  constructor(manifestOf: (digest: Digest) => string) {
    this.#manifestOf = manifestOf;
  }

  /** A lease that its user ends. A version that is not there has none; who reads it will see that. */
  async take(digest: Digest): Promise<AsyncDisposable> {
    const lease = await takeLease(this.#manifestOf(digest));
    return { [Symbol.asyncDispose]: async () => lease?.[Symbol.dispose]() };
  }

  /** Sees to it that a version is leased for the next hour. */
  async hold(digest: Digest): Promise<void> {
    const known = this.#held.get(digest);
    if (known !== undefined) {
      known.timer.refresh();
      return;
    }
    const lease = await takeLease(this.#manifestOf(digest));
    if (lease === undefined) return;
    // Another call may have been quicker.
    this.#end(digest);
    const timer = setTimeout(() => this.#end(digest), holdTime).unref();
    this.#held.set(digest, { lease, timer });
  }

  /** Ends those that reading took. */
  drop(): void {
    for (const digest of [...this.#held.keys()]) this.#end(digest);
  }

  #end(digest: Digest): void {
    const known = this.#held.get(digest);
    if (known === undefined) return;
    clearTimeout(known.timer);
    this.#held.delete(digest);
    known.lease[Symbol.dispose]();
  }
}
