import type { z } from 'zod';
import type { machineRemove } from '../contract/operations/machines.ts';
import { ImprintError } from '../foundation/errors.ts';
import { isBusy } from '../machine/machine-state.ts';
import { changing } from './changing.ts';
import type { Context } from './context.ts';
import { endTask } from './end-task.ts';
import { findMachines } from './find-machines.ts';
import { forgetBootCopies } from './server-boot-copies.ts';
import { forgetObjects } from './server-objects.ts';
import { forgetPassphrase } from './server-passphrases.ts';

type Input = z.output<typeof machineRemove.input>;

/** Forgets machines, all of them or none; orders go with them. One that boots again is discovered anew. */
export async function removeMachines(context: Context, input: Input): Promise<z.input<typeof machineRemove.output>> {
  const output = await changing(context, async (change) => {
    const machines = await findMachines(change.machines, input.machines);
    for (const machine of machines) {
      if (isBusy(machine) && input.force !== true) {
        const task = `${machine.order?.image} is being installed on it`;
        throw new ImprintError('machine-busy', { machine: machine.name, task });
      }
      for (const id of [machine.order?.id, machine.update?.id]) {
        if (id !== undefined) await endTask(change, id, new ImprintError('interrupted', {}).toValue());
      }
      await change.machines.remove(machine.name);
      change.tell({ kind: 'machine-removed', name: machine.name });
    }
    return { removed: machines.map(({ name }) => name) };
  });
  for (const name of output.removed) {
    await forgetObjects(context, name);
    await forgetBootCopies(context.paths, name);
    await forgetPassphrase(context.paths, name);
  }
  return output;
}
