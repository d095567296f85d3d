import type { SimulatedMachine } from '../lab/simulated-machine.ts';

/** A part of a machine's life, and what may boot when the power fails within it. */
export interface Chapter {
  readonly name: string;
  readonly may: readonly string[];
  act(machine: SimulatedMachine, store: string): Promise<unknown>;
}

/** Update, trial, commit; an update whose trial fails; revert. */
export const story: readonly Chapter[] = [
  { name: 'update', may: ['web:1', 'web:2'], act: (machine, store) => machine.update(`${store}#web:2`) },
  { name: 'trial', may: ['web:2'], act: (machine) => restart(machine) },
  { name: 'commit', may: ['web:2'], act: (machine) => machine.commit() },
  {
    name: 'second update',
    may: ['web:2', 'web:3'],
    act: (machine, store) => machine.update(`${store}#web:3`, { tries: 2 }),
  },
  { name: 'its first try', may: ['web:3'], act: (machine) => restart(machine) },
  { name: 'its last try', may: ['web:3', 'web:2'], act: (machine) => restart(machine) },
  { name: 'given up', may: ['web:2'], act: (machine) => restart(machine) },
  { name: 'third update', may: ['web:2', 'web:4'], act: (machine, store) => machine.update(`${store}#web:4`) },
  { name: 'its trial', may: ['web:4'], act: (machine) => restart(machine) },
  { name: 'its commit', may: ['web:4'], act: (machine) => machine.commit() },
  { name: 'revert', may: ['web:4', 'web:2'], act: (machine) => machine.revert() },
  { name: 'reverted', may: ['web:2'], act: (machine) => restart(machine) },
];

async function restart(machine: SimulatedMachine): Promise<void> {
  await machine.shutDown();
  await machine.boot();
}
