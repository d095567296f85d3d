import { afterAll, beforeAll, expect, it } from 'vitest';
import { failed, laboratoryWithVersion } from '../e2e/prepared.ts';
import { goldenPage } from '../lab/golden.ts';
import type { BareOptions, Laboratory } from '../lab/laboratory.ts';
import { copiedBytes, LiveWorker } from '../lab/live-worker.ts';
import type { Machine } from '../lab/machine.ts';
import { startSiteDhcp } from '../lab/site-dhcp.ts';
import { record } from './table.ts';

const minute = 60_000;
const mebibyte = 2 ** 20;
let lab: Laboratory;

beforeAll(async () => {
  lab = await laboratoryWithVersion();
  await lab.buildImager(['--kernel-from', 'web']);
  await lab.startServer();
});
afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
});

/** What somebody who stands before the machine sees, in seconds since its first kernel began; and what came over its cable since the imager ran. */
interface Started {
  machine: Machine;
  login: number;
  page: number;
  fetched: number;
  /** Milliseconds, of `performance.now()`. */
  kernel: number;
}

/** Bytes that the network has sent to this machine. */
async function received(machine: Machine): Promise<number> {
  const { stdout } = await lab.network.run('ip', ['-json', '-stats', 'link', 'show', 'dev', machine.tap]);
  const [link] = JSON.parse(stdout) as { stats64: { tx: { bytes: number } } }[];
  return link?.stats64.tx.bytes ?? 0;
}

/** Has a machine with an empty disk discovered and ordered while it is off, powers it on, and waits until it is in use. */
async function ordered(options: BareOptions, address: string, order: readonly string[]): Promise<Started> {
  const bare = await lab.startBare(options);
  const found = await lab.untilMachine(bare.mac, 'is discovered', 8 * minute, (each) => each.facts !== undefined);
  await bare.cutPower();
  const { name } = options;
  await lab.imprintJson(['machine', 'approve', found.name, '--name', name, '--image', 'web', '--address', address]);
  await lab.imprintJson(['install', name, ...order, '--yes']);
  const machine = await lab.startBare(options);
  const words = await machine.serial.expect(/\[ *([\d.]+)\] Imprint imager/, 5 * minute);
  const kernel = performance.now() - 1000 * Number(/[\d.]+/.exec(words)?.[0]);
  const since = () => (performance.now() - kernel) / 1000;
  const before = await received(machine);
  const login = machine.serial.expect(new RegExp(`${name} login:`), 20 * minute).then(since);
  await lab.until('its page', 20 * minute, async () => (await lab.fetch(`http://${address}/`)) === goldenPage);
  const page = since();
  const fetched = (await received(machine)) - before;
  return { machine, login: await login, page, fetched, kernel };
}

function told({ login, page, fetched }: Started): string {
  return `login ${login.toFixed()} s, page ${page.toFixed()} s, ${(fetched / mebibyte).toFixed()} MiB`;
}

it(
  'a machine is in use long before the ordinary install has it in use, and loses server and network on its way to its disk',
  async () => {
    const began = performance.now();
    const row = { row: 'live-compare', seconds: () => (performance.now() - began) / 1000 };
    try {
      const size = { firmware: 'bios', memory: 1536 } as const;
      const ordinary = await ordered({ name: 'ordinary', number: 65, ...size }, '10.9.0.65', []);
      await lab.untilMachine(ordinary.machine.mac, 'is installed', 20 * minute, (each) => each.installed !== undefined);
      record({ ...row, name: 'ordinary', outcome: told(ordinary) });
      await ordinary.machine.cutPower();

      const live = await ordered({ name: 'first', number: 66, ...size }, '10.9.0.66', ['--live']);
      await lab.untilMachine(live.machine.mac, 'is installed', 20 * minute, (each) => each.installed !== undefined);
      const installed = (performance.now() - live.kernel) / 1000;
      record({ ...row, name: 'live', outcome: `${told(live)}; on its disk ${installed.toFixed()} s` });
      await live.machine.cutPower();
      expect(live.page).toBeLessThan(ordinary.page);
      expect(live.fetched).toBeLessThan(ordinary.fetched);

      const address = '10.9.0.67';
      const { machine, ...again } = await ordered({ name: 'again', number: 67, ...size }, address, [
        ...['--live', '--rate', '3M'],
      ]);
      const worker = new LiveWorker(lab, address);
      await worker.start();
      await lab.until(
        'a third is copied',
        10 * minute,
        async () => (await copiedBytes(lab, machine.mac)) > 250 * mebibyte,
      );
      await lab.stopServer('SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, 20_000));
      await lab.startServer();
      const half = await copiedBytes(lab, machine.mac);
      await lab.until(
        'it goes on',
        5 * minute,
        async () => (await copiedBytes(lab, machine.mac)) > half + 100 * mebibyte,
      );
      await lab.network.setTap(machine.tap, 'down');
      await new Promise((resolve) => setTimeout(resolve, minute));
      await lab.network.setTap(machine.tap, 'up');
      await lab.untilMachine(machine.mac, 'is installed', 20 * minute, (each) => each.installed !== undefined);
      const { turns, longest, over, asleep } = await worker.state();
      await worker.check();
      await lab.stopServer();
      await using _dhcp = await startSiteDhcp(lab.network, lab.directory, { [machine.mac]: address });
      const mark = machine.serial.mark();
      await lab.ssh(address, 'systemctl stop work; sync; systemctl reboot').catch(() => {});
      await machine.serial.expect(/E2E-READY [^\n]*\n/, 10 * minute, mark);
      await lab.until('its page', 5 * minute, async () => (await lab.fetch(`http://${address}/`)) === goldenPage);
      expect(await lab.ssh(address, 'findmnt -no SOURCE /')).toMatch(/\/dev\/[sv]da\d/);
      const { files } = await worker.check();
      expect(files).toBeGreaterThan(10);
      const outcome = `${told({ machine, ...again })}; server killed, cable pulled for a minute, server gone: ${files} files whole on its disk; longest of ${turns} turns ${longest} s, ${over} above a second (a process that only sleeps: ${asleep} s)`;
      record({ ...row, name: 'live, with what the first one asked for', outcome });
    } catch (error) {
      record({ ...row, name: 'stopped', outcome: `FAILED: ${String(error).split('\n', 1)[0]}` });
      await failed(lab, error);
      throw error;
    }
  },
  90 * minute,
);
