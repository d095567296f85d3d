import { existsSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../../foundation/brand.ts';
import { ImprintError, toImprintError } from '../../foundation/errors.ts';
import { Task } from '../../foundation/task.ts';
import { DirectoryStore } from '../../store/directory-store.ts';
import { bundlePath, bundlesDirectory } from '../../store/layout.ts';
import type { Context } from '../context.ts';

/** What became of a request for a bundle: it is there; it is being made, or waits for that; there is none and will be none. */
export type BundleAnswer = 'there' | 'later' | 'none';

/** Requests that wait for the one that is being made, at most: anybody may ask, and the work is ours. */
const mostWaiting = 8;
/** Bundles that are kept, at most; the oldest go. They can be made again. */
const mostKept = 64;
/** Milliseconds for which one that could not be made is not tried again. */
const failureHolds = 600_000;

/** Makes bundles that machines ask for, one after another, once each. */
export class BundleQueue {
  readonly #context: Context;
  readonly #signal: AbortSignal;
  readonly #making = new Map<string, Promise<BundleAnswer>>();
  readonly #failed = new Map<string, number>();
  #last: Promise<unknown> = Promise.resolve();

  /** `signal` ends what is under way. */
  constructor(context: Context, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
  }

  /** Has the bundle made where there is none and both versions are there; waits for it for `patience` milliseconds at most. */
  async ask(from: Digest, to: Digest, patience: number): Promise<BundleAnswer> {
    const path = bundlePath(from, to);
    if (existsSync(join(this.#context.storeLocation, path))) return 'there';
    const failed = this.#failed.get(path);
    if (failed !== undefined && this.#context.clock.now() - failed < failureHolds) return 'none';
    let making = this.#making.get(path);
    if (making === undefined) {
      if (from === to || !(await this.#knows(from)) || !(await this.#knows(to))) return 'none';
      if (this.#making.size >= mostWaiting) return 'later';
      // Another may have come while we looked.
      making = this.#making.get(path) ?? this.#enqueue(path, from, to);
    }
    const waited = new AbortController();
    const sleep = this.#context.clock.sleep(patience, AbortSignal.any([waited.signal, this.#signal]));
    try {
      return await Promise.race([
        making,
        sleep.then(
          (): BundleAnswer => 'later',
          (): BundleAnswer => 'later',
        ),
      ]);
    } finally {
      waited.abort();
    }
  }

  #enqueue(path: string, from: Digest, to: Digest): Promise<BundleAnswer> {
    const making = this.#last.then(() => this.#make(path, from, to)).finally(() => this.#making.delete(path));
    this.#making.set(path, making);
    this.#last = making.catch(() => {});
    return making;
  }

  async #make(path: string, from: Digest, to: Digest): Promise<BundleAnswer> {
    const { log, clock } = this.#context;
    if (this.#signal.aborted) return 'later';
    try {
      const { makeBundle } = await import('../../tree/make-bundle.ts');
      const store = await DirectoryStore.open(this.#context.storeLocation);
      try {
        const report = await makeBundle(store, from, to, { task: Task.silent(this.#signal) });
        log.info({ path, bytes: report.bytes }, 'made a bundle');
        await forgetOldest(store);
      } finally {
        await store.close();
      }
      return 'there';
    } catch (thrown) {
      const error = toImprintError(thrown);
      if (this.#signal.aborted || error.code === 'store-locked') return 'later';
      this.#failed.set(path, clock.now());
      log.error({ err: thrown, path }, 'a bundle could not be made');
      return 'none';
    }
  }

  /** Whether there is such a version, and this server trusts it. */
  async #knows(digest: Digest): Promise<boolean> {
    try {
      await (await this.#context.store()).resolve(digest, 'look');
      return true;
    } catch (error) {
      if (error instanceof ImprintError) return false;
      throw error;
    }
  }
}

async function forgetOldest(store: DirectoryStore): Promise<void> {
  const directory = store.path(bundlesDirectory);
  const names = (await readdir(directory)).filter((name) => name.endsWith('.bundle'));
  if (names.length <= mostKept) return;
  const aged = await Promise.all(
    names.map(async (name) => ({ name, time: (await stat(join(directory, name))).mtimeMs })),
  );
  aged.sort((left, right) => left.time - right.time);
  for (const { name } of aged.slice(0, names.length - mostKept)) await rm(join(directory, name), { force: true });
}
