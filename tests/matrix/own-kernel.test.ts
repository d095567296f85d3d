import { afterAll, beforeAll, expect, it } from 'vitest';
import { failed, laboratoryWithVersion } from '../e2e/prepared.ts';
import { goldenPage } from '../lab/golden.ts';
import type { Laboratory } from '../lab/laboratory.ts';
import { record } from './table.ts';

const minute = 60_000;
const name = 'own-kernel-52';
const address = '10.9.0.52';
let lab: Laboratory;

beforeAll(async () => {
  lab = await laboratoryWithVersion();
  await lab.buildImager(['--kernel-from', 'web']);
  await lab.startServer();
});
afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
});

it(
  'the golden machine’s own kernel, which is not the suite’s, drives the imager from discovery to an installed machine',
  async () => {
    const began = performance.now();
    const told = { row: 'own-kernel', name: 'install', seconds: () => (performance.now() - began) / 1000 };
    try {
      await using bare = await lab.startBare({ name, number: 52, firmware: 'bios', memory: 1024 });
      const found = await lab.untilMachine(bare.mac, 'is discovered', 8 * minute, (each) => each.facts !== undefined);
      await bare.serial.expect(/Imprint imager, kernel \S+-cloud-amd64/, 1000);
      await lab.imprintJson(['machine', 'approve', found.name, '--name', name, '--image', 'web', '--address', address]);
      const booted = bare.serial.mark();
      await lab.imprintJson(['install', name, '--yes']);
      await bare.serial.expect(/E2E-READY [^\n]*\n/, 15 * minute, booted);
      await lab.untilMachine(bare.mac, 'is healthy', 5 * minute, (each) => each.state === 'healthy');
      expect(await lab.fetch(`http://${address}/`)).toBe(goldenPage);
      record({ ...told, outcome: 'installed, and healthy' });
    } catch (error) {
      record({ ...told, outcome: `FAILED: ${String(error).split('\n', 1)[0]}` });
      await failed(lab, error);
      throw error;
    }
  },
  45 * minute,
);
