import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import type { PlacedOrder } from '../contract/operations/installs.ts';
import type { revertOrder, updateCancel, updateOrder } from '../contract/operations/updates.ts';
import type { Digest } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import { type MachineRecord, type MachineUpdate, nextMachine } from '../machine/machine-state.ts';
import { type Changing, changing } from './changing.ts';
import type { Context } from './context.ts';
import { endTask } from './end-task.ts';
import { findMachines } from './find-machines.ts';
import type { OrderedVersion } from './renew-order.ts';
import { resolveInstallable } from './resolve-installable.ts';

type Update = z.output<typeof updateOrder.input>;
type Revert = z.output<typeof revertOrder.input>;

/** Orders one update of each machine, all of them or none. What is fetched is what the reference names at this moment. */
export async function orderUpdate(context: Context, input: Update): Promise<z.input<typeof updateOrder.output>> {
  const { options = {}, notBefore } = input;
  const wanted = await wantedVersions(context, input.machines, (machine) => input.image ?? imageOf(machine));
  return changing(context, async (change) => {
    const orders: PlacedOrder[] = [];
    for (const machine of await findMachines(change.machines, input.machines)) {
      const version = wanted.get(machine.name);
      if (version === undefined) throw changedMeanwhile(machine);
      const order = { kind: 'update', options, ...(notBefore !== undefined && { notBefore }) } as const;
      const image = input.image;
      orders.push(await place(change, image === undefined ? machine : { ...machine, image }, version, order));
    }
    return { orders };
  });
}

/** Orders each machine back, all of them or none: to the version before, as its agent last told, or to a given one. */
export async function orderRevert(context: Context, input: Revert): Promise<z.input<typeof revertOrder.output>> {
  const { options = {}, to } = input;
  const wanted = to === undefined ? undefined : await wantedVersions(context, input.machines, () => to);
  return changing(context, async (change) => {
    const orders: PlacedOrder[] = [];
    for (const machine of await findMachines(change.machines, input.machines)) {
      assertAgent(machine);
      const version = wanted?.get(machine.name) ?? (to === undefined ? versionBefore(machine) : undefined);
      if (version === undefined) throw to === undefined ? nothingBefore(machine) : changedMeanwhile(machine);
      orders.push(await place(change, machine, version, { kind: 'revert', options }));
    }
    return { orders };
  });
}

/** Takes orders back, all of them or none; machines without one are passed over. */
export async function cancelUpdate(
  context: Context,
  input: z.output<typeof updateCancel.input>,
): Promise<z.input<typeof updateCancel.output>> {
  return changing(context, async (change) => {
    const cancelled: string[] = [];
    for (const machine of await findMachines(change.machines, input.machines)) {
      if (!machine.update) continue;
      if (machine.update.phase !== 'waiting' && input.force !== true) throw busy(machine, machine.update);
      await endTask(change, machine.update.id, new ImprintError('interrupted', {}).toValue());
      await change.save(machine.name, nextMachine(machine, { kind: 'update-cancelled' }));
      cancelled.push(machine.name);
    }
    return { cancelled };
  });
}

async function wantedVersions(
  context: Context,
  range: string,
  referenceOf: (machine: MachineRecord) => string | undefined,
): Promise<Map<string, OrderedVersion>> {
  const versions = new Map<string, OrderedVersion>();
  const byReference = new Map<string, OrderedVersion>();
  for (const machine of await findMachines((await context.database()).machines, range)) {
    assertAgent(machine);
    const reference = referenceOf(machine);
    if (reference === undefined) {
      throw new ImprintError('input-invalid', {
        field: 'image',
        problem: `${machine.name} has no image; say which one`,
      });
    }
    const version = byReference.get(reference) ?? (await resolveInstallable(context, reference));
    byReference.set(reference, version);
    versions.set(machine.name, version);
  }
  return versions;
}

async function place(
  change: Changing,
  machine: MachineRecord,
  { image, digest }: OrderedVersion,
  order: Pick<MachineUpdate, 'kind' | 'options' | 'notBefore'>,
): Promise<PlacedOrder> {
  const { name } = machine;
  assertAgent(machine);
  if (machine.order) {
    throw new ImprintError('machine-busy', { machine: name, task: `an install of ${machine.order.image} is ordered` });
  }
  if (machine.update && machine.update.phase !== 'waiting') throw busy(machine, machine.update);
  if (machine.update) await endTask(change, machine.update.id, new ImprintError('interrupted', {}).toValue());
  const update = { id: randomUUID(), image, digest, placed: change.time, ...order };
  const title = order.kind === 'update' ? `update ${name} to ${image}` : `revert ${name} to ${image}`;
  await change.tasks.insert({ id: update.id, title, machine: name, state: 'waiting', started: change.time });
  await change.say(update.id, { kind: 'log', message: `ordered: ${title}` });
  change.tell({ kind: 'task', id: update.id });
  await change.save(name, nextMachine(machine, { kind: 'update-placed', update }));
  return { id: update.id, machine: name, image, digest };
}

/** The image that is set on the machine, else the newest version of what it runs. */
function imageOf({ image, installed }: MachineRecord): string | undefined {
  return image ?? installed?.image.split(':')[0];
}

function versionBefore({ agent }: MachineRecord): OrderedVersion | undefined {
  const before = agent?.previous;
  return before && { image: before.image, digest: before.digest as Digest };
}

function assertAgent({ name, approved, agent }: MachineRecord): void {
  if (!approved) throw new ImprintError('machine-not-approved', { machine: name });
  if (agent?.running === undefined) throw new ImprintError('agent-missing', { machine: name });
}

function busy({ name }: MachineRecord, { kind, image, phase }: MachineUpdate): ImprintError {
  const task = phase === 'trial' ? `${image} is on trial on it` : `its ${kind} to ${image} goes on`;
  return new ImprintError('machine-busy', { machine: name, task });
}

function nothingBefore({ name }: MachineRecord): ImprintError {
  return new ImprintError('nothing-before', { machine: name });
}

function changedMeanwhile({ name }: MachineRecord): ImprintError {
  return new ImprintError('machine-conflict', { problem: `${name} was changed meanwhile; try again.` });
}
