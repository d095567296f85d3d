/** Threads of this room: each is a file beside this one, and in the bundle a file `NAME.mjs` beside the bundle. */
export type WorkerName = 'bundle-plan-worker' | 'bundle-worker' | 'content-worker' | 'restore-worker';

/** Where a thread's code is: the source in a checkout, the built file in a bundle. */
export function workerUrl(name: WorkerName): URL {
  const extension = new URL(import.meta.url).pathname.endsWith('.ts') ? 'ts' : 'mjs';
  return new URL(`./${name}.${extension}`, import.meta.url);
}

/** Node's options for a thread: `node:ffi` announces on stderr that it is new, which is no news to our users. */
export const workerArguments: readonly string[] = ['--disable-warning=ExperimentalWarning'];
