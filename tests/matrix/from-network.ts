import { expect } from 'vitest';
import { mediaKernelOptions } from '../e2e/media-story.ts';
import { failed } from '../e2e/prepared.ts';
import { goldenPage } from '../lab/golden.ts';
import type { BareOptions, Laboratory } from '../lab/laboratory.ts';
import type { Machine } from '../lab/machine.ts';
import { record } from './table.ts';

const minute = 60_000;

/** A machine that nobody knows, and that boots from the network. */
export interface NetworkStory extends BareOptions {
  /** What it says while it boots: the way that is meant, and no other. */
  readonly boots: RegExp;
  /** Its address in the end; absent: the server gives it one of its own, `10.9.0.NUMBER`. */
  readonly addressOf?: (mac: string) => Promise<string | undefined>;
}

/** What the golden machine's disk holds, as `web`. */
export async function captureGoldenDisk(lab: Laboratory): Promise<void> {
  await lab.imprintJson(['capture', lab.golden.disk, '--name', 'web'], 10 * minute);
}

/** The machine, discovered and left alone, approved, installed, and up as itself. */
export async function installFromNetwork(lab: Laboratory, story: NetworkStory): Promise<Machine> {
  const { name, number, boots, addressOf } = story;
  const machine = await lab.startBare({ memory: 1024, ...story });
  const { serial, mac } = machine;
  await serial.expect(boots, 5 * minute, 0);
  const found = await lab.untilMachine(mac, 'is discovered', 8 * minute, (each) => each.facts !== undefined);
  expect(found).toMatchObject({ state: 'discovered', approved: false });
  const wish = addressOf === undefined ? ['--address', `10.9.0.${number}`] : [];
  await lab.imprintJson(['machine', 'approve', found.name, '--name', name, '--image', 'web', ...wish]);
  const ordered = serial.mark();
  await lab.imprintJson(['install', name, '--kernel-options', mediaKernelOptions, '--yes']);
  await serial.expect(new RegExp(`${name} is installed: restarting`), 20 * minute, ordered);
  await serial.expect(/E2E-READY [^\n]*\n/, 10 * minute, ordered);
  const address = addressOf === undefined ? `10.9.0.${number}` : await addressOf(mac);
  expect(await lab.fetch(`http://${address}/`)).toBe(goldenPage);
  expect((await lab.ssh(address ?? '', 'hostname')).trim()).toBe(name);
  await lab.untilMachine(mac, 'is healthy', 5 * minute, (each) => each.state === 'healthy');
  return machine;
}

/** Runs a case and tells it in the table. */
export async function told(lab: Laboratory, row: string, name: string, act: () => Promise<string>): Promise<void> {
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  try {
    record({ row, name, seconds, outcome: await act() });
  } catch (error) {
    record({ row, name, seconds, outcome: `FAILED: ${String(error).split('\n', 1)[0]}` });
    await failed(lab, error);
    throw error;
  }
}
