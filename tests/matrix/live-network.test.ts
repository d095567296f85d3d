import { afterAll, beforeAll, expect, it } from 'vitest';
import { failed, laboratoryWithVersion } from '../e2e/prepared.ts';
import { goldenPage } from '../lab/golden.ts';
import type { Laboratory } from '../lab/laboratory.ts';
import { copiedBytes, LiveWorker } from '../lab/live-worker.ts';
import { record } from './table.ts';

const minute = 60_000;
let lab: Laboratory;

beforeAll(async () => {
  lab = await laboratoryWithVersion();
  await lab.buildImager(['--kernel-from', 'web']);
  await lab.startServer();
});
afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
});

it.each([
  ['bios', 'ext4', 60],
  ['uefi', 'ext4', 61],
  ['uefi', 'xfs', 63],
  ['bios', 'btrfs', 64],
] as const)(
  'a bare machine is in use before it is installed, and is installed without a restart, on %s with %s',
  async (firmware, fileSystem, number) => {
    const name = `live-${firmware}-${fileSystem}`;
    const address = `10.9.0.${number}`;
    const began = performance.now();
    const told = {
      row: 'live-network',
      name: `${firmware} ${fileSystem}`,
      seconds: () => (performance.now() - began) / 1000,
    };
    try {
      if (fileSystem !== 'ext4') await lab.make(['image', 'live', 'web', '--file-system', fileSystem]);
      await using bare = await lab.startBare({ name, number, firmware, memory: 1536 });
      const found = await lab.untilMachine(bare.mac, 'is discovered', 8 * minute, (each) => each.facts !== undefined);
      await lab.imprintJson(['machine', 'approve', found.name, '--name', name, '--image', 'web', '--address', address]);
      const ordered = bare.serial.mark();
      const placed = performance.now();
      await lab.imprintJson(['install', name, '--live', '--fs', fileSystem, '--yes']);
      await bare.serial.expect(/E2E-READY [^\n]*\n/, 10 * minute, ordered);
      const ready = (performance.now() - placed) / 1000;
      expect(await lab.fetch(`http://${address}/`)).toBe(goldenPage);
      const page = (performance.now() - placed) / 1000;
      expect((await lab.ssh(address, 'hostname')).trim()).toBe(name);
      const root = 'findmnt -no SOURCE,FSTYPE /';
      expect((await lab.ssh(address, root)).trim()).toMatch(new RegExp(`^/dev/mapper/imprint-root +${fileSystem}$`));
      const worker = new LiveWorker(lab, address);
      await worker.start();
      await lab.untilMachine(bare.mac, 'is installed', 20 * minute, (each) => each.installed !== undefined);
      const moved = (performance.now() - placed) / 1000;
      const { longest, turns, when, over, asleep } = await worker.state();
      await worker.check();
      const [size, free] = (await lab.ssh(address, 'df -m --output=size,avail / | tail -1')).trim().split(/\s+/);
      expect(bare.serial.heard(ordered)).not.toContain('WORK BROKEN');
      await lab.stopServer();
      const again = bare.serial.mark();
      await lab.ssh(address, 'systemctl stop work; sync; systemctl reboot').catch(() => {});
      await bare.serial.expect(/E2E-READY [^\n]*\n/, 10 * minute, again);
      // Only for the address, which DHCP gives.
      await lab.startServer();
      await lab.until('it has its address', 5 * minute, () => lab.fetch(`http://${address}/`));
      expect((await lab.ssh(address, root)).trim()).toMatch(new RegExp(`^/dev/[sv]da\\d +${fileSystem}$`));
      expect((await worker.check()).files).toBeGreaterThan(10);
      await lab.untilMachine(bare.mac, 'is healthy', 5 * minute, (each) => each.state === 'healthy');
      record({
        ...told,
        outcome: `login ${ready.toFixed()} s, page ${page.toFixed()} s after the order, moved ${moved.toFixed()} s; longest turn of ${turns}: ${longest} s (${when} s after the kernel began; ${over} above a second; a process that only sleeps: ${asleep} s); root ${size} MiB, ${free} free`,
      });
    } catch (error) {
      record({ ...told, outcome: `FAILED: ${String(error).split('\n', 1)[0]}` });
      await failed(lab, error);
      throw error;
    }
  },
  60 * minute,
);

it(
  'power and server fail while it moves: it goes on, and nothing that was synced is lost',
  async () => {
    const [name, address] = ['live-cut', '10.9.0.62'];
    const began = performance.now();
    const told = { row: 'live-network', name: 'cuts', seconds: () => (performance.now() - began) / 1000 };
    const options = { name, number: 62, firmware: 'bios', memory: 1536 } as const;
    try {
      let bare = await lab.startBare(options);
      const found = await lab.untilMachine(bare.mac, 'is discovered', 8 * minute, (each) => each.facts !== undefined);
      await lab.imprintJson(['machine', 'approve', found.name, '--name', name, '--image', 'web', '--address', address]);
      const ordered = bare.serial.mark();
      await lab.imprintJson(['install', name, '--live', '--rate', '2M', '--yes']);
      await bare.serial.expect(/E2E-READY [^\n]*\n/, 10 * minute, ordered);
      const worker = new LiveWorker(lab, address);
      await worker.start();
      await lab.until(
        'it is copied for a while',
        10 * minute,
        async () => (await copiedBytes(lab, bare.mac)) > 40 * 2 ** 20,
      );
      const before = await worker.state();
      await bare.cutPower();
      bare = await lab.startBare(options);
      await bare.serial.expect(/go on with web:1, copying/, 10 * minute);
      await bare.serial.expect(/E2E-READY [^\n]*\n/, 10 * minute);
      const { files, turn } = await worker.check();
      expect(turn).toBeGreaterThanOrEqual(before.turns);
      await worker.start();
      await lab.stopServer('SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, 20_000));
      await lab.startServer();
      await lab.untilMachine(bare.mac, 'is installed', 30 * minute, (each) => each.installed !== undefined);
      const { longest, over } = await worker.state();
      await lab.stopServer();
      await bare.cutPower();
      bare = await lab.startBare(options);
      await bare.serial.expect(/E2E-READY [^\n]*\n/, 10 * minute);
      await lab.startServer();
      await lab.until('it has its address', 5 * minute, () => lab.fetch(`http://${address}/`));
      expect(await lab.ssh(address, 'findmnt -no SOURCE /')).toMatch(/\/dev\/[sv]da\d/);
      const last = await worker.check();
      record({
        ...told,
        outcome: `cut while copying after ${before.turns} turns: live again, ${files} files whole (turn ${turn}); server killed; installed, cut, from its disk alone ${last.files} files whole; longest turn since ${longest} s, ${over} above a second`,
      });
    } catch (error) {
      record({ ...told, outcome: `FAILED: ${String(error).split('\n', 1)[0]}` });
      await failed(lab, error);
      throw error;
    }
  },
  90 * minute,
);
