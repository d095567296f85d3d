import { afterAll, beforeAll, it } from 'vitest';
import { Laboratory } from '../lab/laboratory.ts';
import { captureGoldenDisk, installFromNetwork, told } from './from-network.ts';

const minute = 60_000;
let lab: Laboratory;

beforeAll(async () => {
  lab = await Laboratory.open();
  await captureGoldenDisk(lab);
  await lab.buildImager();
  await lab.startServer();
});
afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
});

it(
  'a UEFI machine that boots by HTTP alone is discovered, installed, and comes up as itself',
  () =>
    told(lab, 'http-boot', 'uefi', async () => {
      const story = { name: 'http-60', number: 60, firmware: 'uefi', httpBoot: true } as const;
      await using _machine = await installFromNetwork(lab, { ...story, boots: /Start HTTP Boot over IPv4/ });
      return 'installed, and itself';
    }),
  50 * minute,
);
