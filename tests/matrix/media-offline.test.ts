import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failed, laboratoryWithVersion } from '../e2e/prepared.ts';
import { makeDisk } from '../lab/disk.ts';
import { goldenPage } from '../lab/golden.ts';
import type { Laboratory } from '../lab/laboratory.ts';
import { type Firmware, Machine } from '../lab/machine.ts';

const minute = 60_000;
let lab: Laboratory;

beforeAll(async () => {
  lab = await laboratoryWithVersion();
  await lab.buildImager();
});
afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
});

// No server runs, and no DHCP: all that there is, is on the medium.
describe.concurrent.each<{ form: 'usb' | 'iso'; firmware: Firmware; number: number; install: string }>([
  { form: 'usb', firmware: 'bios', number: 40, install: 'confirm' },
  { form: 'iso', firmware: 'uefi', number: 41, install: 'unattended' },
])('a machine with a medium ($form, $firmware)', ({ form, firmware, number, install }) => {
  const name = `media-${form}`;
  const address = `10.9.0.${number}`;

  it(
    'is installed from it with no network at all, and comes up with the address of local.cfg',
    async () => {
      try {
        const settings = join(lab.directory, `${name}.cfg`);
        const medium = join(lab.directory, `${name}.${form === 'usb' ? 'raw' : 'iso'}`);
        const lines = [
          `HOSTNAME=${name}`,
          `IPADDR=${address}/24`,
          'IMAGENAME=web',
          `INSTALL=${install}`,
          'AFTERWARDS=poweroff',
        ];
        await writeFile(settings, `${lines.join('\r\n')}\r\n`);
        await lab.imprintJson(['media', form, medium, '--image', 'web', '--local-cfg', settings]);
        const disk = lab.diskOf(name);
        await makeDisk(disk, '4G');
        const options = {
          name,
          number,
          firmware,
          directory: lab.directory,
          network: lab.network,
          disks: [disk],
          memory: 1024,
        };
        {
          // Secure Boot with Microsoft's keys, where the firmware is UEFI.
          await using machine = await Machine.start({ ...options, medium, secureBoot: firmware === 'uefi' });
          if (install === 'confirm') {
            await machine.serial.expect(/Type {2}yes {2}and Enter/, 8 * minute);
            machine.serial.type('yes');
          }
          await machine.serial.expect(new RegExp(`${name} is installed: powering off`), 12 * minute);
          await machine.ended;
        }
        await using machine = await Machine.start({
          ...options,
          logName: `${name}-2`,
          fromDisk: true,
          secureBoot: false,
        });
        await machine.serial.expect(/E2E-READY [^\n]*\n/, 6 * minute);
        expect(await lab.fetch(`http://${address}/`)).toBe(goldenPage);
        expect((await lab.ssh(address, 'hostname')).trim()).toBe(name);
      } catch (error) {
        await failed(lab, error);
        throw error;
      }
    },
    25 * minute,
  );
});
