import type { MachineRepository } from '../database/machine-repository.ts';
import { parseMacAddress } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import { expandAddresses } from '../foundation/node-range.ts';
import type { MachineRecord } from '../machine/machine-state.ts';

/**
 * Refuses a machine whose name, MAC addresses or IPv4 address belong to another one. `was` is the name under which it is
 * kept now; absent: it is new. Errors: `machine-conflict`.
 */
export async function assertUnique(machines: MachineRepository, machine: MachineRecord, was?: string): Promise<void> {
  const conflict = (problem: string) => new ImprintError('machine-conflict', { problem });
  if (machine.name !== was && (await machines.byName(machine.name))) {
    throw conflict(`There is a machine “${machine.name}” already.`);
  }
  for (const mac of machine.macs) {
    const [owner] = await machines.byMacs([mac]);
    if (owner && owner.name !== was) throw conflict(`The MAC address ${mac} is that of ${owner.name} already.`);
  }
  if (machine.address === undefined) return;
  const owner = await machines.byAddress(machine.address);
  if (owner && owner.name !== was) throw conflict(`The address ${machine.address} is that of ${owner.name} already.`);
}

/** MAC addresses in their one spelling. Errors: `input-invalid`, also for one that appears twice. */
export function readMacs(texts: readonly string[]): string[] {
  const macs = texts.map((text) => {
    const mac = parseMacAddress(text);
    if (mac === undefined) throw new ImprintError('input-invalid', { field: 'macs', problem: `“${text}” is none` });
    return mac;
  });
  const twice = macs.find((mac, index) => macs.indexOf(mac) !== index);
  if (twice !== undefined) {
    throw new ImprintError('input-invalid', { field: 'macs', problem: `${twice} appears twice` });
  }
  return macs;
}

/** `count` addresses from `10.0.0.11+`. Errors: `input-invalid`. */
export function readAddresses(text: string, count: number): string[] {
  try {
    return expandAddresses(text, count);
  } catch (thrown) {
    if (!(thrown instanceof RangeError)) throw thrown;
    throw new ImprintError('input-invalid', { field: 'address', problem: thrown.message });
  }
}
