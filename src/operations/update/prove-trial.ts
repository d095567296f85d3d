import { uptime } from 'node:os';
import { ImprintError } from '../../foundation/errors.ts';
import { restartFully } from '../../system/restart.ts';
import { proveHealth } from './prove-health.ts';
import { commitEntry } from './settle-boot.ts';
import {
  findThisMachine,
  lookAtMachine,
  type MachineView,
  openBoot,
  type ThisMachine,
  viewMachine,
} from './this-machine.ts';

export interface TrialProof {
  serverReached?: () => Promise<boolean>;
  signal: AbortSignal;
  log(message: string): void;
}

/** What the boot addition left for images without an agent; a dropped image is adopted by it. */
const agentlessScript = '/run/imprint/start/agentless.sh';

/**
 * Proves the trial that runs: commits it where it is healthy in time, else writes down why and restarts the machine, where GRUB counts. Returns the machine
 * as it is then; where it restarts, it does not return.
 */
export async function proveTrial(machine: ThisMachine, view: MachineView, proof: TrialProof): Promise<MachineView> {
  const { processes, clock } = machine;
  const { situation, note, pointer } = view;
  const { signal, log, serverReached } = proof;
  // After a soft reboot the kernel may have run for months.
  const since = clock.now() - (uptime() - (machine.words?.up ?? 0)) * 1000;
  const failedBefore = note?.failedUnits ?? [];
  const health = await proveHealth(machine, { failedBefore, signal, since, ...(serverReached && { serverReached }) });
  const reason = health.problems.join('; ');
  if (reason === '') {
    if (situation.kind === 'dropped') {
      await processes.run('sh', [agentlessScript, 'adopt'], { timeout: 600_000, signal });
      // It has an entry of its own now, and runs as that.
      return lookAtMachine(await findThisMachine(machine));
    }
    if (situation.kind !== 'trial') return view;
    await using boot = await openBoot(machine);
    const now = await viewMachine(machine, boot);
    if (!isStillOnTrial(now, situation.entry)) return decidedByOthers(now, log);
    log(`healthy: ${health.passed.join(', ')}`);
    return await commitEntry(machine, boot, situation.entry);
  }
  if (situation.kind === 'trial') {
    await using boot = await openBoot(machine);
    const now = await viewMachine(machine, boot);
    if (!isStillOnTrial(now, situation.entry)) return decidedByOthers(now, log);
    const time = new Date(clock.now()).toISOString();
    await boot.writeFailure({ sequence: pointer.sequence, entry: situation.entry, reason, time });
  }
  log(`not healthy, the machine restarts: ${reason}`);
  await restartFully(processes, clock, signal);
  throw new ImprintError('trial-failed', { reference: view.running?.reference ?? 'The dropped image', reason });
}

/** While the health was looked at, somebody may have committed or reverted the version by hand: that counts. */
function isStillOnTrial({ situation }: MachineView, entry: string): boolean {
  return situation.kind === 'trial' && situation.entry === entry;
}

function decidedByOthers(now: MachineView, log: TrialProof['log']): MachineView {
  log('the trial was decided by hand');
  return now;
}
