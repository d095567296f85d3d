import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { failed } from '../e2e/prepared.ts';
import { makeDisk } from '../lab/disk.ts';
import { ejectMedium, insertMedium } from '../lab/eject.ts';
import { Laboratory } from '../lab/laboratory.ts';
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

/** Writes random files until nothing more can be written, and says the sum of each that was synced. */
const fill = `i=0
while head -c 8388608 /dev/urandom > /root/fill-$i && sync /root/fill-$i; do sha256sum /root/fill-$i >> /run/fill.sums; i=$((i+1)); done
echo $i > /run/filled`;

it(
  'a live system whose memory runs full is only read, whole, until it moves; its medium is pulled out meanwhile, and plugged in again',
  async () => {
    const name = 'hardship';
    const address = '10.9.0.66';
    const began = performance.now();
    const told = { row: 'live-medium-failures', name, seconds: () => (performance.now() - began) / 1000 };
    const seen: string[] = [];
    const at = (what: string) => seen.push(`${what} ${told.seconds().toFixed()} s`);
    try {
      const settings = join(lab.directory, `${name}.cfg`);
      const medium = join(lab.directory, `${name}.iso`);
      await writeFile(settings, `HOSTNAME=${name}\nIPADDR=${address}/24\n`);
      await lab.make(['media', 'iso', medium, '--image', 'web', '--live', '--local-cfg', settings]);
      const disk = lab.diskOf(name);
      await makeDisk(disk, '8G');
      const { directory, network } = lab;
      const options: MachineOptions = {
        name,
        number: 66,
        firmware: 'bios',
        directory,
        network,
        disks: [disk],
        memory: 1024,
      };
      {
        const monitor = join(directory, `${name}.monitor`);
        await using machine = await Machine.start({ ...options, medium, virtioMedium: true, monitor });
        const { serial } = machine;
        await serial.expect(/E2E-READY [^\n]*\n/, 12 * minute, 0);
        at('live');
        await lab.ssh(address, `cat > /run/fill.sh <<'X'\n${fill}\nX\nsystemd-run --quiet --unit=fill sh /run/fill.sh`);
        await serial.expect(/The memory for what this live system writes is 7\d % full/, 10 * minute, 0);
        at('warned');
        await serial.expect(/% full \([^)]*\): whoever writes is slowed/, 10 * minute, 0);
        at('slowed');
        await serial.expect(/its root can only be read now/, 10 * minute, 0);
        at('read-only');
        // It runs, nothing more is written, and nothing is broken.
        const words =
          'touch /root/more 2>&1; e2fsck -fn /dev/mapper/imprint-root >/run/fsck 2>&1; echo $?; cat /run/filled; sha256sum --quiet -c /run/fill.sums && echo whole';
        const [touched, fsck, filled, whole] = (await lab.ssh(address, words, 5 * minute)).trim().split('\n');
        expect(touched).toContain('Read-only file system');
        expect([fsck, whole], await lab.ssh(address, 'cat /run/fsck')).toEqual(['0', 'whole']);
        seen.push(`${filled} files of 8 MiB`);
        await lab.ssh(address, `systemd-run --quiet --unit=move imprint --yes install --live --name ${name} --rate 6M`);
        await serial.expect(/The root can be written again/, 5 * minute, 0);
        at('written again');
        await lab.ssh(address, 'cp /run/fill.sums /root/fill.sums && sync');
        // Two more orders: one that means another disk, and one that means none.
        const other = await lab.ssh(address, 'imprint --yes install --live --disk /dev/sdz 2>&1; true', 3 * minute);
        expect(other).toContain('was told to move onto /dev/vda already: it is on its way');
        const joined = await lab.ssh(address, 'timeout 40 imprint --yes install --live 2>&1; true', 3 * minute);
        expect(joined).toContain('This system moves onto /dev/vda already');
        await lab.ssh(address, 'echo 3 > /proc/sys/vm/drop_caches');
        await ejectMedium(monitor);
        await serial.expect(/This system cannot read the medium/, 5 * minute, 0);
        at('medium away');
        await sleep(15_000);
        expect(serial.heard(0)).not.toMatch(/can read the medium \S+ again/);
        await insertMedium(monitor, medium);
        await serial.expect(/can read the medium \S+ again/, 3 * minute, 0);
        at('medium back');
        const end =
          'while systemctl is-active --quiet move; do sleep 2; done; systemctl show -p Result move; imprint install --live --wait 2>&1 | tail -1';
        expect(await lab.ssh(address, end, 20 * minute)).toContain('This system lies on its disk now');
        at('moved');
        await ejectMedium(monitor);
        const after =
          'echo 3 > /proc/sys/vm/drop_caches; sha256sum --quiet -c /root/fill.sums && echo whole; sync; systemctl poweroff';
        expect(await lab.ssh(address, after, 5 * minute)).toContain('whole');
        await machine.ended;
      }
      await using again = await Machine.start({ ...options, logName: `${name}-2`, fromDisk: true });
      await again.serial.expect(/E2E-READY [^\n]*\n/, 8 * minute, 0);
      expect(await lab.ssh(address, 'findmnt -no SOURCE /')).toMatch(/\/dev\/vda\d/);
      expect(await lab.ssh(address, 'sha256sum --quiet -c /root/fill.sums && echo whole', 5 * minute)).toContain(
        'whole',
      );
      record({ ...told, outcome: seen.join(', ') });
    } catch (error) {
      record({ ...told, outcome: `FAILED after ${seen.join(', ')}: ${String(error).split('\n', 1)[0]}` });
      await failed(lab, error);
      throw error;
    }
  },
  60 * minute,
);

// The medium is in still, as whoever had the cut has it; the disk alone could not begin.
it(
  'a system that was moving when its power was cut goes on from its medium, and says so to who orders it once more',
  async () => {
    const name = 'again';
    const address = '10.9.0.67';
    const began = performance.now();
    const told = { row: 'live-medium-failures', name, seconds: () => (performance.now() - began) / 1000 };
    try {
      const settings = join(lab.directory, `${name}.cfg`);
      const medium = join(lab.directory, `${name}.iso`);
      await writeFile(settings, `HOSTNAME=${name}\nIPADDR=${address}/24\n`);
      await lab.make(['media', 'iso', medium, '--image', 'web', '--live', '--local-cfg', settings]);
      const disk = lab.diskOf(name);
      await makeDisk(disk, '8G');
      const { directory, network } = lab;
      const options: MachineOptions = {
        name,
        number: 67,
        firmware: 'bios',
        directory,
        network,
        disks: [disk],
        memory: 1536,
      };
      const start = { ...options, medium, virtioMedium: true };
      {
        await using machine = await Machine.start(start);
        await machine.serial.expect(/E2E-READY [^\n]*\n/, 12 * minute, 0);
        await lab.ssh(
          address,
          'head -c 20000000 /dev/urandom > /root/before; sha256sum /root/before > /root/sums; sync',
        );
        await lab.ssh(address, `systemd-run --quiet --unit=move imprint --yes install --live --name ${name} --rate 2M`);
        // What lay in memory is on the disk when the copy of the rest begins.
        await lab.ssh(
          address,
          'until journalctl -u move | grep -q "nothing that it keeps is lost"; do sleep 1; done',
          10 * minute,
        );
        await lab.ssh(address, 'echo 1 > /root/after; sync');
        await sleep(20_000);
      }
      const cut = told.seconds();
      await using machine = await Machine.start({ ...start, logName: `${name}-2` });
      await machine.serial.expect(/E2E-READY [^\n]*\n/, 12 * minute, 0);
      const ready = told.seconds();
      const joined = await lab.ssh(address, 'imprint --yes install --live 2>&1', 20 * minute);
      expect(joined).toMatch(/This system moves onto \/dev\/vda\d already/);
      expect(joined).toContain('This system lies on its disk now');
      const words = 'cat /root/after; sha256sum --quiet -c /root/sums && echo whole; findmnt -no SOURCE /; hostname';
      expect((await lab.ssh(address, words)).trim().split('\n')).toEqual([
        '1',
        'whole',
        '/dev/mapper/imprint-root',
        name,
      ]);
      record({
        ...told,
        outcome: `cut after ${cut.toFixed()} s, live again at ${ready.toFixed()} s, then watched to the end by a second order`,
      });
    } catch (error) {
      record({ ...told, outcome: `FAILED: ${String(error).split('\n', 1)[0]}` });
      await failed(lab, error);
      throw error;
    }
  },
  60 * minute,
);
