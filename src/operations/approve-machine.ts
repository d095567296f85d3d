import type { z } from 'zod';
import type { machineApprove } from '../contract/operations/machines.ts';
import { ImprintError } from '../foundation/errors.ts';
import { type MachineRecord, nextMachine } from '../machine/machine-state.ts';
import { changing } from './changing.ts';
import type { Context } from './context.ts';
import { findMachine, showMachine } from './find-machines.ts';
import { assertUnique, readAddresses } from './machine-uniqueness.ts';

type Input = z.output<typeof machineApprove.input>;

/**
 * Gives a discovered machine its name. A name that was registered without MAC addresses (`machine add web[01-20]`) takes
 * the machine over, with its address, image and options. Approving under the name it has changes nothing.
 */
export async function approveMachine(context: Context, input: Input): Promise<z.input<typeof machineApprove.output>> {
  const name = input.name.toLowerCase();
  const address = input.address === undefined ? undefined : readAddresses(input.address, 1)[0];
  return changing(context, async (change) => {
    const found = await findMachine(change.machines, input.machine);
    if (found.approved && found.name !== name) {
      const problem = `${input.machine} is approved already, as ${found.name}.`;
      throw new ImprintError('machine-conflict', { problem });
    }
    const place = found.name === name ? undefined : await change.machines.byName(name);
    const vacant = place && place.macs.length === 0 ? place : undefined;
    if (vacant) {
      await change.machines.remove(vacant.name);
      await change.tasks.renameMachine(found.name, name);
    }
    const joined: MachineRecord = {
      ...found,
      ...(vacant?.address !== undefined && { address: vacant.address }),
      ...(vacant?.image !== undefined && { image: vacant.image }),
      ...(vacant?.order !== undefined && { order: vacant.order }),
      options: { ...found.options, ...vacant?.options },
      ...(address !== undefined && { address }),
      ...(input.image !== undefined && { image: input.image }),
    };
    const approved = nextMachine(joined, { kind: 'approved', name });
    const machine: MachineRecord = vacant?.order ? { ...approved, state: 'assigned' } : approved;
    await assertUnique(change.machines, machine, found.name);
    await change.save(found.name, machine);
    return showMachine(machine);
  });
}
