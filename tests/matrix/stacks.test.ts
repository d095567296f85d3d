import { afterAll, beforeAll, it } from 'vitest';
import { failed } from '../e2e/prepared.ts';
import { Laboratory } from '../lab/laboratory.ts';
import { macAddress } from '../lab/machine.ts';
import { startSiteDhcp } from '../lab/site-dhcp.ts';
import { takeStackStore } from '../lab/stack-store.ts';
import { StackMachine } from './stack-machine.ts';
import { stackRows } from './stack-rows.ts';
import { record } from './table.ts';

const minute = 60_000;
let lab: Laboratory;
let dhcp: AsyncDisposable | undefined;

beforeAll(async () => {
  lab = await Laboratory.open();
  await takeStackStore(lab.data);
  await lab.buildImager();
  const addresses = stackRows.map(({ number }) => [macAddress(number), `10.9.0.${number}`] as const);
  dhcp = await startSiteDhcp(lab.network, lab.directory, Object.fromEntries(addresses));
  await lab.startPlainServer();
});
afterAll(async () => {
  await dhcp?.[Symbol.asyncDispose]();
  await lab?.[Symbol.asyncDispose]();
});

for (const row of stackRows) {
  it(
    row.title,
    async () => {
      const began = performance.now();
      const told = { row: 'layouts', name: row.title, seconds: () => (performance.now() - began) / 1000 };
      try {
        await using machine = await StackMachine.prepare(lab, row);
        record({ ...told, outcome: await row.story(machine) });
      } catch (error) {
        record({ ...told, outcome: `FAILED: ${String(error).split('\n', 1)[0]?.slice(0, 200)}` });
        await failed(lab, error);
        throw error;
      }
    },
    45 * minute,
  );
}
