import type { z } from 'zod';
import type { machineAdd } from '../contract/operations/machines.ts';
import { ImprintError } from '../foundation/errors.ts';
import { type MachineRecord, nextMachine } from '../machine/machine-state.ts';
import { changing } from './changing.ts';
import type { Context } from './context.ts';
import { expandNames, showMachine } from './find-machines.ts';
import { assertUnique, readAddresses, readMacs } from './machine-uniqueness.ts';

type Input = z.output<typeof machineAdd.input>;

/**
 * Registers machines, all of them or none. One that was discovered before under one of the MAC addresses becomes the
 * machine of that name.
 */
export async function addMachines(context: Context, input: Input): Promise<z.input<typeof machineAdd.output>> {
  const names = expandNames('machines', input.machines);
  const macs = readMacs(input.macs ?? []);
  if (macs.length !== 0 && macs.length !== names.length) {
    const problem = `there are ${macs.length} for ${names.length} machines`;
    throw new ImprintError('input-invalid', { field: 'macs', problem });
  }
  const addresses = input.address === undefined ? [] : readAddresses(input.address, names.length);
  return changing(context, async (change) => {
    const added: MachineRecord[] = [];
    for (const [index, name] of names.entries()) {
      const mac = macs[index];
      const [known] = mac === undefined ? [] : await change.machines.byMacs([mac]);
      const discovered = known && !known.approved ? known : undefined;
      const address = addresses[index];
      const registered: MachineRecord = {
        state: 'discovered',
        created: change.time,
        ...discovered,
        name,
        approved: false,
        macs: discovered?.macs ?? (mac === undefined ? [] : [mac]),
        options: input.options ?? {},
        ...(address !== undefined && { address }),
        ...(input.image !== undefined && { image: input.image }),
        ...(input.groups !== undefined && { groups: input.groups }),
      };
      const machine = nextMachine(registered, { kind: 'approved', name });
      await assertUnique(change.machines, machine, discovered?.name);
      if (discovered) await change.save(discovered.name, machine);
      else {
        await change.machines.insert(machine);
        change.tell({ kind: 'machine', machine });
      }
      added.push(machine);
    }
    return { machines: added.map(showMachine) };
  });
}
