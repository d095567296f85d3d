import { expect } from 'vitest';
import type { UpdatedMachine } from '../e2e/update-story.ts';
import type { OffLook } from '../lab/machine-off.ts';
import { expectToRun, type UpdateCase } from './update-case.ts';

/**
 * Three bad versions on one disk, with a try each. Of the first two the machine shows that they fail, and that GRUB starts the good version's kernel
 * then; its power is cut there, and what an agent does first is done to the disk by the product's own code. After the third it comes up as a whole.
 */
export const badVersionsCase = {
  title: 'versions that panic, that hang, and whose service fails, one after the other',
  async story(machine: UpdatedMachine) {
    const reasons = await badStarts(machine);
    const began = performance.now();
    const reason = await machine.survives('serviceFails');
    expect(reason).toMatch(/nginx/);
    expect(await machine.runs()).toBe('web:2');
    expect(await machine.shell('systemctl is-active nginx')).toBe('active');
    return [...reasons, `serviceFails (${seconds(began)}): ${reason}`].join('; ');
  },
} as const satisfies UpdateCase;

/** The first two of them, for a root that is updated in place: the third needs no restart there, so that only a machine that runs can prove it. */
export const badStartsCase = {
  title: 'versions that panic and that hang, one after the other',
  async story(machine: UpdatedMachine) {
    const reasons = await badStarts(machine);
    await machine.powerOn();
    await expectToRun(machine, 'web:2');
    return reasons.join('; ');
  },
} as const satisfies UpdateCase;

async function badStarts(machine: UpdatedMachine): Promise<string[]> {
  const reasons: string[] = [];
  for (const name of ['panic', 'startHangs'] as const) {
    const began = performance.now();
    await machine.isGivenUp(name);
    await machine.cutPower();
    const reason = givenUp(await machine.whileOff([{ act: 'boot' }]));
    reasons.push(`${name} (${seconds(began)}): ${reason}`);
  }
  return reasons;
}

/** Why the trial was given up, where nothing is on trial any more and `web:2` is good. */
function givenUp({ pointer, failure, versions }: OffLook): string {
  expect(pointer?.trial).toBeUndefined();
  expect(versions[pointer?.good ?? '']).toBe('web:2');
  expect(failure?.reason).toBeTruthy();
  expect(versions[failure?.entry ?? '']).not.toBe('web:2');
  return failure?.reason ?? '';
}

function seconds(began: number): string {
  return `${((performance.now() - began) / 1000).toFixed(0)} s`;
}
