import { writeFile } from 'node:fs/promises';
import type { Clock } from '../foundation/clock.ts';
import type { Processes } from './run.ts';

/** Ends the running system, after everything was written out. */
export interface Power {
  reboot(): Promise<void>;
  powerOff(): Promise<void>;
}

/**
 * Power by `reboot -f` and `poweroff -f`; where those do nothing within ten seconds, by the kernel's own request key.
 * Neither rejects: a machine that should restart has nobody to tell.
 */
export function systemPower(processes: Processes, clock: Clock): Power {
  const end = async (program: string, key: string) => {
    const quietly = (work: Promise<unknown>) => work.then(() => {}).catch(() => {});
    await quietly(processes.run('sync', [], { timeout: 120_000 }));
    await quietly(processes.run(program, ['-f'], { timeout: 20_000 }));
    await clock.sleep(10_000);
    await quietly(writeFile('/proc/sys/kernel/sysrq', '1'));
    await quietly(writeFile('/proc/sysrq-trigger', key));
    await clock.sleep(10_000);
  };
  return { reboot: () => end('reboot', 'b'), powerOff: () => end('poweroff', 'o') };
}
