import type { z } from 'zod';
import type { machineForgetObjects, machineObjects } from '../contract/operations/machines.ts';
import type { Context } from './context.ts';
import { findMachine } from './find-machines.ts';
import { forgetObjects, listObjects } from './server-objects.ts';

/** What the server keeps of a machine, the newest first. */
export async function readObjects(
  context: Context,
  input: z.output<typeof machineObjects.input>,
): Promise<z.input<typeof machineObjects.output>> {
  const { name } = await findMachine((await context.database()).machines, input.machine);
  return { machine: name, objects: await listObjects(context.paths, name) };
}

/** Forgets it, and the key by which the machine was known: its next install begins anew. */
export async function forgetMachineObjects(
  context: Context,
  input: z.output<typeof machineForgetObjects.input>,
): Promise<z.input<typeof machineForgetObjects.output>> {
  const { name } = await findMachine((await context.database()).machines, input.machine);
  return { machine: name, forgotten: await forgetObjects(context, name) };
}
