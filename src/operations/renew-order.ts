import { randomUUID } from 'node:crypto';
import type { Digest } from '../foundation/brand.ts';
import { type MachineRecord, nextMachine } from '../machine/machine-state.ts';
import type { Changing } from './changing.ts';

/** What an order is about. */
export interface OrderedVersion {
  image: string;
  digest: Digest;
}

/** Places an order with a task of its own; the machine is answered, not yet saved. */
export async function placeOrder(
  change: Changing,
  machine: MachineRecord,
  version: OrderedVersion,
): Promise<MachineRecord> {
  const { image, digest } = version;
  const order = { id: randomUUID(), image, digest, placed: change.time };
  const title = `install ${image} on ${machine.name}`;
  await change.tasks.insert({ id: order.id, title, machine: machine.name, state: 'waiting', started: change.time });
  await change.say(order.id, { kind: 'log', message: `ordered: ${title}` });
  change.tell({ kind: 'task', id: order.id });
  return nextMachine(machine, { kind: 'order-placed', order });
}

/**
 * An order that was refused or failed, placed anew (of `version`, where given): a task that has ended cannot go on, so the
 * new try is a new one. Any other machine is answered as it is; it is not yet saved.
 */
export async function renewOrder(
  change: Changing,
  machine: MachineRecord,
  version?: OrderedVersion,
): Promise<MachineRecord> {
  const { order } = machine;
  if (order?.phase !== 'refused' && order?.phase !== 'failed') return machine;
  return placeOrder(change, machine, version ?? order);
}
