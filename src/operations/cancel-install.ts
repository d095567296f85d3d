import type { z } from 'zod';
import type { installCancel } from '../contract/operations/installs.ts';
import { ImprintError } from '../foundation/errors.ts';
import { isBusy, nextMachine } from '../machine/machine-state.ts';
import { changing } from './changing.ts';
import type { Context } from './context.ts';
import { endTask } from './end-task.ts';
import { findMachines } from './find-machines.ts';
import { forgetPassphrase } from './server-passphrases.ts';

type Input = z.output<typeof installCancel.input>;

/** Takes orders back, all of them or none; machines without one are passed over. */
export async function cancelInstall(context: Context, input: Input): Promise<z.input<typeof installCancel.output>> {
  return changing(context, async (change) => {
    const cancelled: string[] = [];
    for (const machine of await findMachines(change.machines, input.machines)) {
      if (!machine.order) continue;
      if (isBusy(machine) && input.force !== true) {
        const task = `${machine.order.image} is being installed on it, and its disk is half written`;
        throw new ImprintError('machine-busy', { machine: machine.name, task });
      }
      await endTask(change, machine.order.id, new ImprintError('interrupted', {}).toValue());
      await change.save(machine.name, nextMachine(machine, { kind: 'order-cancelled', time: change.time }));
      await forgetPassphrase(context.paths, machine.name);
      cancelled.push(machine.name);
    }
    return { cancelled };
  });
}
