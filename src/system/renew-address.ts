import { readFile } from 'node:fs/promises';
import type { Clock } from '../foundation/clock.ts';
import type { Processes } from './run.ts';

/** Milliseconds that a DHCP server has for it. */
const patience = 15_000;

/**
 * Has the imager's DHCP client ask anew, where a machine was given an address of its own after it had got another one; what is fetched meanwhile waits. `file`: where its
 * script writes `INTERFACE ADDRESS/PREFIX`. Whether the address is the wanted one then.
 */
export async function renewAddress(
  processes: Processes,
  clock: Clock,
  { file, wanted }: { file: string; wanted: string },
): Promise<boolean> {
  const has = async () => (await readFile(file, 'utf8').catch(() => '')).split(/[\s/]/)[1] === wanted;
  if (await has()) return true;
  const { stdout } = await processes.run('pidof', ['udhcpc'], { timeout: 10_000, accept: [0, 1] });
  const ids = stdout.split(/\s+/).filter((id) => /^\d+$/.test(id));
  if (ids.length === 0) return false;
  // What it has is given back, and then it asks.
  for (const signal of ['SIGUSR2', 'SIGUSR1'] as const) {
    for (const id of ids) process.kill(Number(id), signal);
    await clock.sleep(500);
  }
  for (let waited = 0; waited < patience; waited += 500) {
    if (await has()) return true;
    await clock.sleep(500);
  }
  return false;
}
