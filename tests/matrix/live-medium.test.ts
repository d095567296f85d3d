import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { failed } from '../e2e/prepared.ts';
import { makeDisk } from '../lab/disk.ts';
import { ejectMedium } from '../lab/eject.ts';
import { goldenPage } from '../lab/golden.ts';
import { Laboratory } from '../lab/laboratory.ts';
import { LiveWorker } from '../lab/live-worker.ts';
import { Machine, type MachineOptions } from '../lab/machine.ts';
import { captureGoldenDisk } from './from-network.ts';
import { record } from './table.ts';

const minute = 60_000;
let lab: Laboratory;

beforeAll(async () => {
  lab = await Laboratory.open();
  await captureGoldenDisk(lab);
});
afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
});

// No server runs: all that there is, is on the medium, and that is taken out.
it.each([
  ['bios', 62],
  ['uefi', 63],
] as const)(
  'a system that runs from a medium moves onto a disk while somebody works in it, and the medium is taken out, on %s',
  async (firmware, number) => {
    const name = `moved-${firmware}`;
    const address = `10.9.0.${number}`;
    const began = performance.now();
    const told = { row: 'live-medium', name: firmware, seconds: () => (performance.now() - began) / 1000 };
    try {
      const settings = join(lab.directory, `${name}.cfg`);
      const medium = join(lab.directory, `${name}.iso`);
      await writeFile(settings, `HOSTNAME=live-${firmware}\nIPADDR=${address}/24\n`);
      await lab.make(['media', 'iso', medium, '--image', 'web', '--live', '--local-cfg', settings]);
      const disk = lab.diskOf(name);
      await makeDisk(disk, '8G');
      const { directory, network } = lab;
      const options: MachineOptions = { name, number, firmware, directory, network, disks: [disk], memory: 2048 };
      let outcome: string;
      {
        const monitor = join(directory, `${name}.monitor`);
        await using machine = await Machine.start({ ...options, medium, virtioMedium: true, monitor });
        await machine.serial.expect(/E2E-READY [^\n]*\n/, 12 * minute, 0);
        const ready = (performance.now() - began) / 1000;
        expect(await lab.fetch(`http://${address}/`)).toBe(goldenPage);
        expect((await lab.ssh(address, 'hostname')).trim()).toBe(`live-${firmware}`);
        const before = await lab.ssh(
          address,
          'cat /etc/machine-id; findmnt -no SOURCE /; df -m --output=size / | tail -1',
        );
        const [machineId, source, small] = before.trim().split('\n');
        expect(source).toBe('/dev/mapper/imprint-root');
        await lab.ssh(
          address,
          'head -c 30000000 /dev/urandom > /root/before; sha256sum /root/before > /root/before.sum',
        );
        const worker = new LiveWorker(lab, address);
        await worker.start();
        const dry = await lab.ssh(address, 'imprint install --live --dry-run', 5 * minute);
        expect(dry).toContain('/dev/vda');
        const placed = performance.now();
        await lab.ssh(address, `imprint --yes install --live --name ${name}`, 20 * minute);
        const moved = (performance.now() - placed) / 1000;
        const { turns, longest } = await worker.state();
        await ejectMedium(monitor);
        expect(machine.serial.heard(0)).not.toContain('WORK BROKEN');
        expect((await worker.check()).files).toBeGreaterThan(0);
        const after = await lab.ssh(
          address,
          'echo 3 > /proc/sys/vm/drop_caches; sha256sum --status -c /root/before.sum && echo whole; cat /etc/machine-id; hostname; df -m --output=size / | tail -1; losetup -a | grep -c changes; systemctl is-active nginx',
        );
        const [whole, sameId, newName, grown, loops, served] = after.trim().split('\n');
        expect([whole, sameId, newName, loops, served]).toEqual(['whole', machineId, name, '0', 'active']);
        expect(Number(grown)).toBeGreaterThan(Number(small) * 2);
        await lab.ssh(address, 'systemctl stop work; sync; systemctl poweroff').catch(() => {});
        await machine.ended;
        outcome = `live after ${ready.toFixed()} s, moved in ${moved.toFixed()} s; longest turn of ${turns}: ${longest} s; root ${small} → ${grown} MiB`;
      }
      await using again = await Machine.start({ ...options, logName: `${name}-2`, fromDisk: true });
      await again.serial.expect(/E2E-READY [^\n]*\n/, 8 * minute, 0);
      expect(await lab.ssh(address, 'findmnt -no SOURCE /')).toMatch(/\/dev\/vda\d/);
      expect((await lab.ssh(address, 'sha256sum --status -c /root/before.sum && hostname')).trim()).toBe(name);
      expect((await new LiveWorker(lab, address).check()).files).toBeGreaterThan(0);
      expect(await lab.fetch(`http://${address}/`)).toBe(goldenPage);
      record({ ...told, outcome });
    } catch (error) {
      record({ ...told, outcome: `FAILED: ${String(error).split('\n', 1)[0]}` });
      await failed(lab, error);
      throw error;
    }
  },
  60 * minute,
);
