import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SimulatedMachine } from '../lab/simulated-machine.ts';

/** A part of a machine's life. */
export interface Chapter {
  readonly name: string;
  /** What may boot when the power fails within it; the last is what the machine is to become. */
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

/** The same of a machine that is updated in place, where going back and forth is work: the initramfs takes one version away and puts the other. */
export const inPlaceStory: readonly Chapter[] = [
  ...story,
  { name: 'forth again', may: ['web:2', 'web:4'], act: (machine, store) => goForth(machine, store) },
  { name: 'there again', may: ['web:4'], act: (machine) => restart(machine) },
  { name: 'an update', may: ['web:4', 'web:2'], act: (machine, store) => machine.update(`${store}#web:2`) },
  { name: 'taken back before it was started', may: ['web:2', 'web:4'], act: (machine) => takeBack(machine) },
  { name: 'a new update', may: ['web:4', 'web:2'], act: (machine, store) => machine.update(`${store}#web:2`) },
  {
    name: 'another before that was started',
    may: ['web:2', 'web:4', 'web:3'],
    act: (machine, store) => machine.update(`${store}#web:3`, { tries: 1 }),
  },
  { name: 'the only try', may: ['web:3', 'web:4'], act: (machine) => restart(machine) },
  { name: 'undone', may: ['web:4'], act: (machine) => restart(machine) },
];

/** The story of machines with this layout. */
export function storyOf(layout: string): readonly Chapter[] {
  return layout === 'single' ? inPlaceStory : story;
}

async function restart(machine: SimulatedMachine): Promise<void> {
  await machine.shutDown();
  await machine.boot();
}

/** Until it restarts, what runs is not what boots next, and nothing can be laid over it. */
async function goForth(machine: SimulatedMachine, store: string): Promise<void> {
  await machine.revert();
  const refusal = await machine.update(`${store}#web:3`).catch((error: unknown) => String(error));
  if (!/boots next/.test(refusal ?? '')) throw new Error(`an update over a revert was not refused: ${refusal}`);
}

/** Nothing restarts, and yet the files must be those of the version that runs. */
async function takeBack(machine: SimulatedMachine): Promise<void> {
  await machine.revert();
  const version = await readFile(join(machine.root, 'etc/imprint-version'), 'utf8');
  if (version !== 'v4\n') throw new Error(`the root that runs is still ${version}`);
}
