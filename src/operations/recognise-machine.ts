import type { z } from 'zod';
import type { ImagerHello } from '../contract/imager-protocol.ts';
import type { networkInterfaceFactsSchema } from '../contract/machine.ts';
import type { MachineRepository } from '../database/machine-repository.ts';
import { type MachineRecord, nextMachine } from '../machine/machine-state.ts';
import type { Changing } from './changing.ts';

/** Who asks: one machine, or several that its network cards belong to (then nothing may be done to it). */
export type Recognition = { kind: 'one'; machine: MachineRecord } | { kind: 'several'; names: string[] };

/**
 * Finds the machine that the facts are of, by its MAC addresses alone: boards with one and the same UUID are sold, and
 * a wrong guess here would overwrite a disk. One that nobody knows is registered as discovered, nothing more.
 */
export async function recogniseMachine(
  change: Changing,
  { facts, problem }: Pick<ImagerHello, 'facts' | 'problem'>,
): Promise<Recognition> {
  const found = await findByMacs(
    change.machines,
    facts.interfaces.map(({ mac }) => mac),
  );
  if (found.length > 1) return { kind: 'several', names: found.map(({ name }) => name) };
  const uuid = realUuid(facts.uuid);
  const heard = { kind: 'heard', time: change.time, facts, problem } as const;
  const [known] = found;
  if (known) {
    const machine = nextMachine({ ...known, ...(uuid !== undefined && { uuid }) }, heard);
    await change.save(known.name, machine);
    return { kind: 'one', machine };
  }
  const macs = bootInterfaces(facts.interfaces).map(({ mac }) => mac);
  const discovered: MachineRecord = {
    name: `mac-${(macs[0] ?? facts.interfaces[0]?.mac ?? 'unknown').replaceAll(':', '')}`,
    approved: false,
    state: 'discovered',
    macs,
    options: {},
    created: change.time,
    ...(uuid !== undefined && { uuid }),
  };
  const machine = nextMachine(discovered, heard);
  await change.machines.insert(machine);
  change.tell({ kind: 'machine', machine });
  return { kind: 'one', machine };
}

/**
 * Machines by MAC addresses: those that were registered first; else those that a machine was seen with, since one with
 * two network cards may boot from the other one.
 */
export async function findByMacs(machines: MachineRepository, macs: readonly string[]): Promise<MachineRecord[]> {
  const registered = await machines.byMacs(macs);
  if (registered.length > 0) return registered;
  const all = await machines.all();
  return all.filter(({ facts }) => facts?.interfaces.some(({ mac }) => macs.includes(mac)));
}

type Interfaces = z.infer<typeof networkInterfaceFactsSchema>[];

/** The interfaces that DHCP should know: those with an address, else those with a link, else all. */
function bootInterfaces(interfaces: Interfaces): Interfaces {
  const addressed = interfaces.filter(({ address }) => address !== undefined);
  if (addressed.length > 0) return addressed;
  const linked = interfaces.filter(({ carrier }) => carrier === true);
  return linked.length > 0 ? linked : interfaces;
}

/** A UUID, undefined where the firmware has none: all zeros or all ones. */
function realUuid(uuid: string | undefined): string | undefined {
  if (uuid === undefined || /^[0-]*$/.test(uuid) || /^[f-]*$/i.test(uuid)) return undefined;
  return uuid.toLowerCase();
}
