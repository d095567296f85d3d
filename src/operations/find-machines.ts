import type { Machine } from '../contract/machine.ts';
import type { MachineRepository } from '../database/machine-repository.ts';
import { parseMacAddress } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import { expandNodeRange } from '../foundation/node-range.ts';
import type { MachineRecord, MachineUpdate } from '../machine/machine-state.ts';

/** The machines of a node range, MAC addresses among it too, each once, in its order. Throws where one is not there. */
export async function findMachines(machines: MachineRepository, range: string): Promise<MachineRecord[]> {
  const found = new Map<string, MachineRecord>();
  for (const reference of expandReferences(range)) {
    const machine = await findMachine(machines, reference);
    found.set(machine.name, machine);
  }
  return [...found.values()];
}

/** The machine of a name, of `mac-525400123456`, or of a MAC address. Errors: `machine-not-found`. */
export async function findMachine(machines: MachineRepository, reference: string): Promise<MachineRecord> {
  const name = reference.trim().toLowerCase();
  const byName = await machines.byName(name);
  if (byName) return byName;
  const mac = parseMacAddress(name.replace(/^mac-/, ''));
  const [byMac] = mac === undefined ? [] : await machines.byMacs([mac]);
  if (byMac) return byMac;
  throw new ImprintError('machine-not-found', { machine: reference });
}

/** Names from a node range; the part of the contract that says what is wrong with one is `input-invalid`. */
export function expandNames(field: string, range: string): string[] {
  try {
    return expandNodeRange(range.toLowerCase());
  } catch (thrown) {
    if (!(thrown instanceof RangeError)) throw thrown;
    throw new ImprintError('input-invalid', { field, problem: `“${range}” names no machines: ${thrown.message}` });
  }
}

/** A machine as the contract shows it. */
export function showMachine(machine: MachineRecord): Machine {
  const { order, update, installed, problem, ...rest } = machine;
  return {
    ...rest,
    ...(problem && {
      problem: { code: problem.code, message: problem.message, hint: problem.hint, time: problem.time },
    }),
    ...(order && {
      order: { id: order.id, image: order.image, digest: order.digest, placed: order.placed },
      ...(order.phase === 'running' && { task: order.id }),
    }),
    ...(update && { update: showUpdate(update), ...(update.phase !== 'waiting' && { task: update.id }) }),
    ...(installed && { installed: { image: installed.image, digest: installed.digest, time: installed.time } }),
  };
}

function showUpdate({ session: _session, options: _options, ...update }: MachineUpdate): Machine['update'] {
  return update;
}

function expandReferences(range: string): string[] {
  if (!range.includes(':')) return expandNames('machines', range);
  return range
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .flatMap((part) => (parseMacAddress(part) ? [part] : expandNames('machines', part)));
}
