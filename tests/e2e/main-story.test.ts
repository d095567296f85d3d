import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashDisk } from '../lab/disk.ts';
import { goldenPage } from '../lab/golden.ts';
import { goldenAddress, Laboratory } from '../lab/laboratory.ts';
import type { Firmware } from '../lab/machine.ts';
import { failed } from './prepared.ts';

const minute = 60_000;

let lab: Laboratory;
let golden: { machineId: string; hostKeys: string[] };

beforeAll(async () => {
  lab = await Laboratory.open();
  try {
    await lab.startGolden();
    await lab.imprintJson(['capture', `ssh://root@${goldenAddress}`, '--name', 'web', ...lab.captureOptions()]);
    expect(await lab.fetch(`http://${goldenAddress}/`)).toBe(goldenPage);
    golden = {
      machineId: (await lab.ssh(goldenAddress, 'cat /etc/machine-id')).trim(),
      hostKeys: await lab.hostKeys(goldenAddress),
    };
    await lab.stopSiteDhcp();
    await lab.buildImager();
    await lab.startServer();
  } catch (error) {
    await failed(lab, error);
    throw error;
  }
});

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
});

// Both at once: each machine keeps one core busy.
describe.concurrent.each<{ firmware: Firmware; number: number; layout: string; fileSystem: string }>([
  { firmware: 'bios', number: 16, layout: 'single', fileSystem: 'ext4' },
  { firmware: 'uefi', number: 17, layout: 'files', fileSystem: 'xfs' },
])('a bare $firmware machine with 1 GiB of memory', ({ firmware, number, layout, fileSystem }) => {
  const name = `web-${firmware}`;
  const address = `10.9.0.${number}`;

  it(`is discovered and left alone, then installed (${layout} on ${fileSystem}), and comes up as itself`, async () => {
    try {
      await using bare = await lab.startBare({ name: `bare-${firmware}`, number, firmware, memory: 1024 });
      const untouched = await hashDisk(lab.diskOf(bare.name));
      const found = await lab.untilMachine(bare.mac, 'is discovered', 6 * minute, (each) => each.facts !== undefined);
      expect(found).toMatchObject({ state: 'discovered', approved: false, facts: { firmware } });
      await new Promise((resolve) => setTimeout(resolve, 5000));
      expect(await hashDisk(lab.diskOf(bare.name))).toBe(untouched);

      await lab.imprintJson(['machine', 'approve', found.name, '--name', name, '--image', 'web', '--address', address]);
      const booted = bare.serial.mark();
      const install = await lab.imprint([
        ...['install', name, '--layout', layout, '--fs', fileSystem, '--yes', '--wait'],
      ]);
      expect(install, install.stderr).toMatchObject({ status: 0 });
      await bare.serial.expect(/E2E-READY [^\n]*\n/, 6 * minute, booted);
      const healthy = await lab.untilMachine(bare.mac, 'is healthy', 3 * minute, (each) => each.state === 'healthy');
      expect(healthy.agent?.running, 'the agent said so').toMatchObject({ image: 'web:1' });

      expect(await lab.fetch(`http://${address}/`)).toBe(goldenPage);
      const [host, machineId, rootType] = (
        await lab.ssh(address, 'hostname; cat /etc/machine-id; findmnt -no FSTYPE /')
      ).split('\n');
      expect(host).toBe(name);
      expect(machineId).toMatch(/^[0-9a-f]{32}$/);
      expect(machineId).not.toBe(golden.machineId);
      expect(rootType).toBe(layout === 'files' ? 'ext4' : fileSystem);
      expect(await lab.ssh(address, 'cat /proc/cmdline')).toMatch(/imprint\.slot=(root|file)-[0-9a-f]{12} /);
      expect(await lab.ssh(address, 'imprint --version')).toMatch(/^\d+\.\d+/);
      expect(await lab.ssh(address, 'systemctl --failed --no-legend --plain')).toBe('');
      if (layout === 'files') {
        expect(await lab.ssh(address, 'findmnt -no FSTYPE /hostpart')).toBe(`${fileSystem}\n`);
        expect(await lab.ssh(address, 'touch /data0/kept && ls /hostpart/data')).toBe('kept\n');
        expect(await lab.ssh(address, 'fstrim -v / 2>&1 || true'), 'no hole is made').toMatch(/not supported/);
      }
      const keys = await lab.hostKeys(address);
      expect(keys.length).toBeGreaterThan(0);
      for (const key of keys) expect(golden.hostKeys).not.toContain(key);
    } catch (error) {
      await failed(lab, error);
      throw error;
    }
  });
});
