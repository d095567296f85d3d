import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { shellWord } from '../../src/machine/golden-questions.ts';
import { failed, laboratoryWithVersion } from '../e2e/prepared.ts';
import { chooseEntry } from '../lab/choose-entry.ts';
import { makeDisk } from '../lab/disk.ts';
import { ejectMedium } from '../lab/eject.ts';
import { goldenPage } from '../lab/golden.ts';
import type { Laboratory } from '../lab/laboratory.ts';
import { LiveWorker } from '../lab/live-worker.ts';
import { Machine, type MachineOptions } from '../lab/machine.ts';
import { record } from './table.ts';

const minute = 60_000;
let lab: Laboratory;

beforeAll(async () => {
  lab = await laboratoryWithVersion();
});
afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
});

// No server runs: all that there is, is on the medium, and that is taken out.
it.each([
  ['ext4', 'bios', 'medium', 62],
  ['ext4', 'uefi', 'medium', 63],
  ['xfs', 'bios', 'medium', 65],
  ['btrfs', 'uefi', 'memory', 66],
] as const)(
  'a system on %s that runs on %s from the %s moves onto a disk while somebody works in it, and the medium is taken out',
  async (fileSystem, firmware, from, number) => {
    const name = `moved-${fileSystem}-${firmware}`;
    const address = `10.9.0.${number}`;
    const began = performance.now();
    const told = {
      row: 'live-medium',
      name: `${fileSystem} ${firmware}, from ${from}`,
      seconds: () => (performance.now() - began) / 1000,
    };
    try {
      const settings = join(lab.directory, `${name}.cfg`);
      const medium = join(lab.directory, `${name}.iso`);
      await writeFile(settings, `HOSTNAME=live-${number}\nIPADDR=${address}/24\n`);
      const root = fileSystem === 'ext4' ? [] : ['--fs', fileSystem];
      if (root.length > 0) await lab.make(['image', 'live', 'web', '--file-system', fileSystem]);
      await lab.make(['media', 'iso', medium, '--image', 'web', '--live', ...root, '--local-cfg', settings]);
      const disk = lab.diskOf(name);
      await makeDisk(disk, '8G');
      const { directory, network } = lab;
      const options: MachineOptions = { name, number, firmware, directory, network, disks: [disk], memory: 2048 };
      let outcome: string;
      {
        const monitor = join(directory, `${name}.monitor`);
        await using machine = await Machine.start({ ...options, medium, virtioMedium: true, monitor });
        const inMemory = from === 'memory';
        if (inMemory) await chooseEntry(machine, /from memory: the medium can be taken out/);
        const started = performance.now();
        await machine.serial.expect(/E2E-READY [^\n]*\n/, 12 * minute, 0);
        // Nobody has read anything of the system yet.
        if (inMemory) await ejectMedium(monitor);
        const ready = (performance.now() - started) / 1000;
        expect(await lab.fetch(`http://${address}/`)).toBe(goldenPage);
        expect((await lab.ssh(address, 'hostname')).trim()).toBe(`live-${number}`);
        const before = await lab.ssh(
          address,
          'cat /etc/machine-id; findmnt -rno SOURCE,FSTYPE /; df -m --output=size / | tail -1',
        );
        const [machineId, source, small] = before.trim().split('\n');
        expect(source).toBe(`/dev/mapper/imprint-root ${fileSystem}`);
        await lab.ssh(
          address,
          'head -c 30000000 /dev/urandom > /root/before; sha256sum /root/before > /root/before.sum',
        );
        const worker = new LiveWorker(lab, address);
        await worker.start();
        expect(await lab.ssh(address, 'imprint status')).toMatch(/system +web:1, live\n(?:.*\n)+ *move +not ordered/);
        const dry = await lab.ssh(address, 'imprint install --live --dry-run', 5 * minute);
        expect(dry).toContain('/dev/vda');
        const placed = performance.now();
        // With the time of each of its lines, in seconds since the kernel began, to find what a long turn waited for.
        const install = `imprint --yes install --live --name ${name} 2>&1 | perl -MTime::HiRes=clock_gettime,CLOCK_MONOTONIC -ne '$|=1; printf "%.1f %s", clock_gettime(CLOCK_MONOTONIC), $_'`;
        const said = await lab.ssh(address, `bash -o pipefail -c ${shellWord(install)}`, 20 * minute);
        const moved = (performance.now() - placed) / 1000;
        const { turns, longest, when, over, asleep } = await worker.state();
        if (over > 0) console.log(`a turn of ${longest} s ended at ${when} s:\n${said}`);
        if (!inMemory) await ejectMedium(monitor);
        expect(await lab.ssh(address, 'imprint status')).toContain('the next restart comes from there');
        expect(machine.serial.heard(0)).not.toContain('WORK BROKEN');
        expect((await worker.check()).files).toBeGreaterThan(0);
        const after = await lab.ssh(
          address,
          'echo 3 > /proc/sys/vm/drop_caches; sha256sum --status -c /root/before.sum && echo whole; cat /etc/machine-id; hostname; df -m --output=size / | tail -1; losetup -a | grep -c changes; cat /proc/[0-9]*/mounts | grep -c /live/copy; systemctl is-active nginx',
        );
        const [whole, sameId, newName, grown, loops, copies, served] = after.trim().split('\n');
        expect([whole, sameId, newName, loops, copies, served]).toEqual(['whole', machineId, name, '0', '0', 'active']);
        expect(Number(grown)).toBeGreaterThan(Number(small) * 2);
        await lab.ssh(address, 'systemctl stop work; sync; systemctl poweroff').catch(() => {});
        await machine.ended;
        outcome = `live after ${ready.toFixed()} s, moved in ${moved.toFixed()} s; longest turn of ${turns}: ${longest} s, ${over} above a second (a process that only sleeps: ${asleep} s); root ${small} → ${grown} MiB`;
      }
      await using again = await Machine.start({ ...options, logName: `${name}-2`, fromDisk: true });
      await again.serial.expect(/E2E-READY [^\n]*\n/, 8 * minute, 0);
      const at = (await lab.ssh(address, 'findmnt -rno SOURCE,FSTYPE /')).trim();
      expect(at).toMatch(new RegExp(`^/dev/vda\\d ${fileSystem}$`));
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
