import type { z } from 'zod';
import type { slotFree } from '../../contract/operations/updates.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { lookAtMachine, type MachineView, type ThisMachine } from './this-machine.ts';
import { lockUpdate } from './update-lock.ts';
import { clearSlot } from './update-slot.ts';

type Freed = z.output<typeof slotFree.output>;

/**
 * Gives a system partition back: its entries leave the boot menu, and the next fill may have it. What lies in it stays there until then, as the beginning of what
 * comes. Errors: `slot-needed`, `machine-unmanaged`, `update-running`, `trial-running`.
 */
export async function freeSlot(machine: ThisMachine, slot: string, task: Task): Promise<Freed> {
  await using _lock = await lockUpdate('a slot is given back');
  const freed = slotToFree(await lookAtMachine(machine), slot);
  await task.part('take it out of the menu', () => clearSlot(machine, slot, '', { trial: 'stays' }));
  return freed;
}

/** What would go. Errors as `freeSlot`. */
export function slotToFree(view: MachineView, slot: string): Freed {
  const { layout, entries, pointer, running } = view;
  const inside = entries.filter((entry) => entry.slot === slot);
  const refuse = (problem: string) => new ImprintError('slot-needed', { slot, problem });
  if (layout.layout !== 'slots') throw refuse('this machine has no system partitions');
  if (!layout.slots.some(({ name }) => name === slot)) throw refuse('this machine has no such slot');
  if (running?.slot === slot) throw refuse('it runs');
  if (inside.some(({ id }) => id === pointer.good)) throw refuse('it holds what starts by itself');
  if (inside.some(({ id }) => id === pointer.trial)) throw refuse('it waits to be tried at the next restart');
  return { slot, entries: inside.map(({ id }) => id), references: inside.map(({ reference }) => reference) };
}
