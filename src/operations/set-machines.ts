import type { z } from 'zod';
import type { InstallOptions } from '../contract/machine.ts';
import type { installOptionChangesSchema, machineSet } from '../contract/operations/machines.ts';
import { ImprintError } from '../foundation/errors.ts';
import { type MachineRecord, nextMachine } from '../machine/machine-state.ts';
import { changing } from './changing.ts';
import type { Context } from './context.ts';
import { findMachines, showMachine } from './find-machines.ts';
import { assertUnique, readAddresses, readMacs } from './machine-uniqueness.ts';
import { renewOrder } from './renew-order.ts';
import { resolveInstallable } from './resolve-installable.ts';

type Input = z.output<typeof machineSet.input>;

/** Changes machines, all of them or none. An order that was refused or failed is placed anew, with what is set now. */
export async function setMachines(context: Context, input: Input): Promise<z.input<typeof machineSet.output>> {
  const macs = input.macs === undefined ? undefined : readMacs(input.macs);
  const chosen = await findMachines((await context.database()).machines, input.machines);
  if (macs !== undefined && chosen.length !== 1) {
    throw new ImprintError('input-invalid', { field: 'macs', problem: 'they can be set for one machine at a time' });
  }
  const stuck = chosen.some(({ order }) => order?.phase === 'refused' || order?.phase === 'failed');
  const version = stuck && input.image ? await resolveInstallable(context, input.image) : undefined;
  const addresses = typeof input.address === 'string' ? readAddresses(input.address, chosen.length) : undefined;
  return changing(context, async (change) => {
    const machines = await findMachines(change.machines, input.machines);
    // Addresses that move along within the range (11–20 → 12–21) must not stand in each other's way.
    if (input.address !== undefined) {
      for (const machine of machines) await change.machines.update(machine.name, withoutAddress(machine));
    }
    const result: MachineRecord[] = [];
    for (const [index, before] of machines.entries()) {
      const address = addresses?.[index];
      let machine: MachineRecord = input.address === undefined ? before : withoutAddress(before);
      machine = {
        ...machine,
        ...(address !== undefined && { address }),
        ...(macs !== undefined && { macs }),
        options: changeOptions(machine.options, input.options),
      };
      if (input.groups !== undefined) machine = changeGroups(machine, input.groups);
      if (input.rules !== undefined) machine = changeRules(machine, input.rules);
      if (input.image !== undefined) {
        machine = nextMachine(machine, { kind: 'image-set', image: input.image ?? undefined });
      }
      machine = await renewOrder(change, machine, version);
      await assertUnique(change.machines, machine, machine.name);
      await change.save(machine.name, machine);
      result.push(machine);
    }
    return { machines: result.map(showMachine) };
  });
}

/** Options with changes laid over them: `null` takes one away, what is absent stays. */
export function changeOptions(
  options: InstallOptions,
  changes: z.output<typeof installOptionChangesSchema> | undefined,
): InstallOptions {
  const merged = { ...options, ...changes };
  const kept = Object.entries(merged).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(kept) as InstallOptions;
}

/** `null` takes a list away, what is absent stays. */
function changeRules(machine: MachineRecord, changes: NonNullable<Input['rules']>): MachineRecord {
  const { rules: before, ...rest } = machine;
  const kept = Object.entries({ ...before, ...changes }).filter(([, value]) => value !== null && value !== undefined);
  return kept.length === 0 ? rest : { ...rest, rules: Object.fromEntries(kept) };
}

function changeGroups(machine: MachineRecord, groups: string[] | null): MachineRecord {
  const { groups: _before, ...rest } = machine;
  return groups === null ? rest : { ...rest, groups };
}

function withoutAddress(machine: MachineRecord): MachineRecord {
  const { address: _address, ...rest } = machine;
  return rest;
}
