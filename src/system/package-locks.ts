import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { rawPath } from '../foundation/brand.ts';
import type { Clock } from '../foundation/clock.ts';
import { ImprintError } from '../foundation/errors.ts';
import { close, open, openFlags, tryRecordLock } from '../native/files.ts';

/** What package managers lock while they change files, relative to the root: of apt and dpkg, and of rpm. */
const lockFiles = ['var/lib/dpkg/lock-frontend', 'usr/lib/sysimage/rpm/.rpm.lock', 'var/lib/rpm/.rpm.lock'];
const pause = 1000;

/**
 * Keeps the package managers of a root from changing files until it is disposed of; waits, at most `patience` milliseconds, for one that does. `waiting` is
 * called once where it has to. Errors: `update-running`.
 */
export async function holdPackageLocks(
  root: string,
  { clock, patience, signal, waiting }: { clock: Clock; patience: number; signal: AbortSignal; waiting(): void },
): Promise<Disposable> {
  using stack = new DisposableStack();
  let waited = 0;
  for (const name of lockFiles) {
    const path = rawPath(`${root.replace(/\/+$/, '')}/${name}`);
    if (!existsSync(dirname(Buffer.from(path, 'latin1').toString()))) continue;
    const fd = open(path, openFlags.readWrite | openFlags.create | openFlags.noFollow, 0o640);
    stack.defer(() => close(fd));
    for (; !tryRecordLock(fd); waited += pause) {
      if (waited >= patience)
        throw new ImprintError('update-running', { what: `a package manager works: it has locked /${name}` });
      if (waited === 0) waiting();
      await clock.sleep(pause, signal);
    }
  }
  return stack.move();
}
