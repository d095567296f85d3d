import { ImprintError } from '../../foundation/errors.ts';
import {
  type MachineSystem,
  machineSystems,
  namedSystem,
  recordOf,
  startingSystem,
} from '../../machine/boot-systems.ts';
import { withTrial } from '../../machine/trial.ts';
import type { BootPartition } from '../../system/boot-partition.ts';
import { openBoot, type ThisMachine, viewMachine } from '../update/this-machine.ts';
import { lockUpdate } from '../update/update-lock.ts';

/** Systems that Imprint boots from a boot partition, that which starts by itself first; none where it says nothing. */
export async function ownSystems(boot: BootPartition): Promise<MachineSystem[]> {
  const pointer = await boot.pointer();
  return pointer === undefined ? [] : machineSystems(pointer, await boot.entries(), await boot.systemRecords());
}

/**
 * Has a system of Imprint's start by itself from now on: its last good entry becomes the pointer's. What is known of the one before is written down first,
 * so that nothing is lost where power fails between.
 */
export async function startByItself(boot: BootPartition, name: string): Promise<void> {
  const systems = await ownSystems(boot);
  const [system, pointer] = [namedSystem(systems, name), await boot.pointer()];
  if (system === undefined || pointer === undefined || system.standard) return;
  await boot.writeSystemRecords(systems.map(recordOf));
  await boot.writePointer(startingSystem(pointer, system));
}

/** What starts next, and whether something had to be written for it. */
export interface NextSystem {
  system: string;
  entry: string;
  reference: string;
}

/**
 * Has a system of Imprint's start once at the next restart, as a trial with a single try: proven or not, the boot after it is what starts by itself. Undefined
 * where none is called so. Errors: `update-running`, `trial-running` where something waits to be tried.
 */
export async function startOnce(machine: ThisMachine, name: string, write: boolean): Promise<NextSystem | undefined> {
  await using _lock = await lockUpdate('a system is chosen');
  await using boot = await openBoot(machine, { readOnly: !write });
  const { systems, pointer, entries } = await viewMachine(machine, boot);
  const system = namedSystem(systems, name);
  if (system === undefined) return undefined;
  const { good: entry } = system;
  const found = (id: string | undefined) => entries.find((each) => each.id === id)?.reference;
  if (pointer.trial !== undefined && pointer.trial !== entry)
    throw new ImprintError('trial-running', { reference: found(pointer.trial) ?? pointer.trial });
  if (write && !system.standard && pointer.trial === undefined) {
    // What is good of it is written down, for of what is on trial nobody could tell.
    await boot.writeSystemRecords(systems.map(recordOf));
    await boot.writePointer(withTrial(pointer, entry, 1));
  }
  return { system: system.name, entry, reference: found(entry) ?? entry };
}
