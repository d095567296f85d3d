import type { z } from 'zod';
import type { Machine } from '../contract/machine.ts';
import type { machineList, machineShow } from '../contract/operations/machines.ts';
import type { Context } from './context.ts';
import { findMachine, findMachines, showMachine } from './find-machines.ts';

export async function listMachines(
  context: Context,
  input: z.output<typeof machineList.input>,
): Promise<z.input<typeof machineList.output>> {
  const { machines } = await context.database();
  const found = input.machines === undefined ? await machines.all() : await findMachines(machines, input.machines);
  return { machines: found.map(showMachine) };
}

export async function readMachine(context: Context, input: z.output<typeof machineShow.input>): Promise<Machine> {
  return showMachine(await findMachine((await context.database()).machines, input.machine));
}
