import type { z } from 'zod';
import type { taskList, taskShow } from '../contract/operations/tasks.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Context } from './context.ts';
import { findMachine } from './find-machines.ts';

const usualLimit = 100;

export async function listTasks(
  context: Context,
  { machine, state, limit = usualLimit }: z.output<typeof taskList.input>,
): Promise<z.input<typeof taskList.output>> {
  const { machines, tasks } = await context.database();
  const name = machine === undefined ? undefined : (await findMachine(machines, machine)).name;
  const filter = { limit, ...(name !== undefined && { machine: name }), ...(state !== undefined && { state }) };
  return { tasks: await tasks.list(filter) };
}

export async function readTask(
  context: Context,
  input: z.output<typeof taskShow.input>,
): Promise<z.input<typeof taskShow.output>> {
  const { tasks } = await context.database();
  const task = await tasks.get(input.task);
  if (!task) throw new ImprintError('task-not-found', { task: input.task });
  return { task, events: await tasks.events(input.task, input.after) };
}
