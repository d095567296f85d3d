import { existsSync } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import type { Digest } from '../../foundation/brand.ts';
import { systemClock } from '../../foundation/clock.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { FormatError } from '../../image/format-error.ts';
import { writing } from '../../store/durable.ts';
import type { Store } from '../../store/store.ts';
import type { FileState } from '../../store/store-files.ts';
import { BundleFile } from './bundle-file.ts';
import type { FetchPlace } from './fetch-place.ts';
import { writeAll } from './fetched-packs.ts';

export interface BundleRequest {
  store: Store;
  from: Digest;
  to: Digest;
  reference: string;
  place: FetchPlace;
  /** A bundle that is longer than this is none. */
  longest: number;
  /** Milliseconds for which a server may make it. */
  patience: number;
  passed(bytes: number): Promise<void>;
  task: Task;
}

/** Between two questions for a bundle that is being made; the server holds the answer back itself. */
const pause = 1000;

/**
 * The bundle that leads from one version to another, in the place: from before, carried on with, or new. Undefined where the store has none, or none that is sound.
 * Errors: `fetch-no-room`, `store-unreachable`, `disk-full`.
 */
export async function fetchBundle(request: BundleRequest): Promise<BundleFile | undefined> {
  const { place, from, to, task } = request;
  const whole = place.path('bundle');
  for (const again of [false, true]) {
    if (!existsSync(whole) && !(await download(request))) return undefined;
    try {
      return await BundleFile.open(whole, from, to);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      await rm(whole, { force: true });
      if (again)
        task.warn(
          `The bundle of ${request.store.location} is of no use: ${error.message}. Content is fetched from packs.`,
        );
    }
  }
  return undefined;
}

/** Fetches what is missing of it; false where there is none. */
async function download(request: BundleRequest): Promise<boolean> {
  const { store, from, to, place, reference, task, passed } = request;
  const part = place.path('bundle.part');
  for (let tries = 0; tries < 3; tries += 1) {
    const state = await findBundle(request);
    if (state === undefined || state.length > request.longest) return false;
    const known = JSON.stringify({ from, ...state });
    if ((await place.read('bundle.state')) !== known) {
      await rm(part, { force: true });
      await place.write('bundle.state', known);
    }
    const have = Math.min(await lengthOf(part), state.length);
    await place.expectRoom(state.length - have, reference);
    task.expect(state.length - have, 'bytes');
    const range = { offset: have, length: state.length - have, ...(state.tag === undefined ? {} : { tag: state.tag }) };
    const done = await (async () => {
      await using file = await writing(part, () => open(part, existsSync(part) ? 'r+' : 'w+', 0o600));
      return await store.copyBundle(from, to, range, async (bytes, at) => {
        await writing(part, () => writeAll(file, bytes, at));
        task.advance(bytes.length);
        await passed(bytes.length);
      });
    })();
    if (done) {
      await writing(part, () => rename(part, place.path('bundle')));
      return true;
    }
    // It has become another one in the meantime.
    await rm(part, { force: true });
  }
  return false;
}

/** Waits while the server makes it, and goes on without where that takes too long. */
async function findBundle({ store, from, to, patience, task }: BundleRequest): Promise<FileState | undefined> {
  const until = systemClock.now() + patience;
  for (let told = false; ; told = true) {
    const state = await store.findBundle(from, to).catch((error: unknown) => {
      // A server that will not say is one that has none: content can be had from its packs.
      if (error instanceof ImprintError && error.code === 'store-unreachable' && store.traffic.bytes > 0)
        return undefined;
      throw error;
    });
    if (state !== 'later') return state;
    if (systemClock.now() >= until) return undefined;
    if (!told) task.log('the server is making the bundle for this update');
    await systemClock.sleep(pause, task.signal);
  }
}

async function lengthOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}
