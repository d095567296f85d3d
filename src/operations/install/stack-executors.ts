import { toImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import type { Step } from '../../planning/step.ts';
import { closeCrypt } from '../../system/crypt.ts';
import { stopRaid } from '../../system/raid.ts';
import type { Processes } from '../../system/run.ts';
import { stopGroup } from '../../system/volume-group.ts';

/**
 * Lets go of the arrays, encrypted devices and volume groups that these steps make, the last made first: what is on the disks is whole then, and they can be
 * written anew. What was not made is passed over. Never rejects: it warns.
 */
export async function releaseStack(processes: Processes, steps: readonly Step[], task: Task): Promise<void> {
  for (const step of steps.toReversed()) {
    try {
      if (step.kind === 'make-raid') await stopRaid(processes, step.device);
      if (step.kind === 'make-crypt') await closeCrypt(processes, step.name);
      if (step.kind === 'make-group') await stopGroup(processes, step.name);
    } catch (thrown) {
      task.warn(`what the install made is still in use: ${toImprintError(thrown).message}`);
    }
  }
}
