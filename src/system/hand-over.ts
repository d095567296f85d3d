import { readFile, writeFile } from 'node:fs/promises';
import type { Clock } from '../foundation/clock.ts';
import { ImprintError } from '../foundation/errors.ts';

/** Milliseconds until the first process must have become the system's init. */
const patience = 60_000;

/**
 * Has the imager's init become the init of the system that is mounted at `root`. This process, and what it needs, lives on below it; its name says to
 * systemd that it must not be ended before the root is let go of (https://systemd.io/ROOT_STORAGE_DAEMONS). Resolves when that init runs. Errors: `step-failed`.
 */
export async function handOver(directory: string, root: string, clock: Clock): Promise<void> {
  process.title = '@imprint-live';
  const before = await readFile('/proc/1/cmdline', 'utf8');
  await writeFile(`${directory}/hand-over`, `${root}\n`);
  process.kill(1, 'SIGHUP');
  for (let waited = 0; waited < patience; waited += 100) {
    await clock.sleep(100);
    const problem = await readFile(`${directory}/hand-over-failed`, 'utf8').catch(() => undefined);
    if (problem !== undefined) throw failed(problem.trim());
    if ((await readFile('/proc/1/cmdline', 'utf8')) !== before) return;
  }
  throw failed('the first process does not hand over');
}

function failed(problem: string): ImprintError {
  return new ImprintError('step-failed', { step: 'start the system', machine: 'this machine', problem });
}
