import { afterAll, beforeAll, expect, it } from 'vitest';
import { goldenPage } from '../lab/golden.ts';
import type { Laboratory } from '../lab/laboratory.ts';
import { macAddress } from '../lab/machine.ts';
import { failed, laboratoryWithImage } from './prepared.ts';

const second = 1000;
const minute = 60 * second;
const number = 30;
const mac = macAddress(number);

/** Where the power fails: after the console said so, this many seconds later. */
const cuts = [
  { after: /partition \/dev\/vda/, seconds: 0 },
  { after: /restore web:1/, seconds: 15 },
  { after: /make \/dev\/vda boot on BIOS/, seconds: 0 },
];

let lab: Laboratory;

beforeAll(async () => {
  lab = await laboratoryWithImage();
});

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
});

it('a power cut at any moment of an install leads to a clean install at the next boot', async () => {
  try {
    await lab.imprintJson(['machine', 'add', 'cut01', '--mac', mac, '--image', 'web', '--address', '10.9.0.30']);
    await lab.imprintJson(['install', 'cut01', '--yes']);
    for (const { after, seconds } of cuts) {
      const machine = await lab.startBare({ name: 'cut', number });
      await machine.serial.expect(after, 6 * minute);
      await new Promise((resolve) => setTimeout(resolve, seconds * second));
      await machine.cutPower();
      expect((await lab.machines())?.[0]?.order, 'the order stands').toBeDefined();
    }
    await using machine = await lab.startBare({ name: 'cut', number });
    await machine.serial.expect(/E2E-READY [^\n]*\n/, 10 * minute);
    await lab.untilMachine(mac, 'is healthy', 2 * minute, (each) => each.state === 'healthy');
    expect(await lab.fetch('http://10.9.0.30/')).toBe(goldenPage);
    expect(await lab.ssh('10.9.0.30', 'journalctl -b -q -p err --no-pager -g "EXT4-fs error" || true')).toBe('');
  } catch (error) {
    await failed(lab, error);
    throw error;
  }
});
