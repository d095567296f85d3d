import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../../foundation/clock.ts';
import { agentPaths } from '../../machine/installed-layout.ts';

const seenPath = `${agentPaths.state}/server-time`;

/**
 * A clock for deciding what has expired, on a machine whose own may be years off (an empty battery): never before the moment at which the version
 * that runs was made (`made`, ISO 8601), nor before the last time that a server vouched for. A clock that is ahead is only set right by a server.
 */
export async function machineClock(clock: Clock, root: string, made: string | undefined): Promise<Clock> {
  const created = Date.parse(made ?? '');
  const seen = Number((await readFile(join(root, seenPath), 'utf8').catch(() => '0')).trim());
  const floor = Math.max(Number.isFinite(created) ? created : 0, Number.isFinite(seen) ? seen : 0);
  return { now: () => Math.max(clock.now(), floor), sleep: clock.sleep };
}

/** Remembers what a server vouched for. Never rejects: without it the clock is as good as before. */
export async function rememberServerTime(root: string, time: number): Promise<void> {
  const path = join(root, seenPath);
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(`${path}.new`, `${Math.round(time)}\n`);
    await rename(`${path}.new`, path);
  } catch {
    // A full or read-only disk is told by what really needs it.
  }
}
