import { closeSync, fstatSync, openSync, statSync } from 'node:fs';

/** Between two tries of a reader, in milliseconds; a collector holds a manifest for a moment only. */
const pause = 5;

/**
 * A reader's lease of a version: a shared `flock` on its manifest, so that neither the manifest nor a pack that it needs
 * is deleted (docs/store.md). Waits while a collector holds it. Undefined where the manifest is not there, or no longer.
 * The kernel ends it with the process.
 */
export async function takeLease(manifest: string, signal?: AbortSignal): Promise<Disposable | undefined> {
  const { tryLock } = await import('../native/files.ts');
  for (;;) {
    signal?.throwIfAborted();
    const fd = openIfThere(manifest);
    if (fd === undefined) return undefined;
    let kept = false;
    try {
      if (tryLock(fd, 'shared')) {
        if (!isStill(fd, manifest)) continue;
        kept = true;
        return { [Symbol.dispose]: () => closeSync(fd) };
      }
    } finally {
      if (!kept) closeSync(fd);
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/**
 * A collector's hold on a manifest that no reader leases: readers that come now wait. `leased` where one does; undefined
 * where there is no such manifest.
 */
export async function holdManifest(manifest: string): Promise<Disposable | 'leased' | undefined> {
  const { tryLock } = await import('../native/files.ts');
  const fd = openIfThere(manifest);
  if (fd === undefined) return undefined;
  let kept = false;
  try {
    if (!tryLock(fd, 'exclusive')) return 'leased';
    kept = true;
    return { [Symbol.dispose]: () => closeSync(fd) };
  } finally {
    if (!kept) closeSync(fd);
  }
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** Whether a path still names the file that is open. */
function isStill(fd: number, path: string): boolean {
  const named = statSync(path, { throwIfNoEntry: false });
  const open = fstatSync(fd);
  return named !== undefined && named.ino === open.ino && named.dev === open.dev;
}
