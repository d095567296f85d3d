import { expect } from 'vitest';
import type { UpdatedMachine } from '../e2e/update-story.ts';

/** What is done with a machine of a row that is off, runs `web:2` when it is on, and goes back to `web:1`. */
export interface UpdateCase {
  /** What a person would say about it. */
  readonly title: string;
  /** Returns what is worth being told. */
  story(machine: UpdatedMachine): Promise<string>;
}

/** Waits until it is up, has proven what it runs, and runs this. */
export async function expectToRun(machine: UpdatedMachine, version: string, patience?: number): Promise<void> {
  await machine.isUp(patience);
  await machine.settles('settled');
  expect(await machine.runs()).toBe(version);
}
