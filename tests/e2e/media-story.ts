import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { makeDisk } from '../lab/disk.ts';
import { goldenPage } from '../lab/golden.ts';
import type { Laboratory } from '../lab/laboratory.ts';
import { type Firmware, Machine, type MachineOptions } from '../lab/machine.ts';

const minute = 60_000;

/** For the installed machine, so that it says on its console that it is up. */
export const mediaKernelOptions = 'console=ttyS0,115200 mitigations=off no_timer_check nokaslr';

/** A machine that has an empty disk, and a medium that somebody made for it. */
export interface MediaStory {
  readonly form: 'usb' | 'iso';
  readonly firmware: Firmware;
  /** Last byte of its addresses. */
  readonly number: number;
  readonly install: 'confirm' | 'unattended';
  /** Reference of the version in the laboratory's store. */
  readonly image: string;
  /** Where the version comes from: the medium itself, or a server in a network in which nobody gives out addresses. */
  readonly from: 'medium' | 'server';
  /** More lines of its `local.cfg`. */
  readonly settings?: readonly string[];
}

/** The machine, powered on from its own disk after the install, which showed that it came up as itself. */
export async function installFromMedium(lab: Laboratory, story: MediaStory): Promise<Machine> {
  const { form, firmware, number, install, image, from } = story;
  const name = `media-${form}-${number}`;
  const address = `10.9.0.${number}`;
  const settings = join(lab.directory, `${name}.cfg`);
  const medium = join(lab.directory, `${name}.${form === 'usb' ? 'raw' : 'iso'}`);
  const lines = [
    ...[`HOSTNAME=${name}`, `IPADDR=${address}/24`, `IMAGENAME=${image}`],
    `KERNEL_OPTIONS="${mediaKernelOptions}"`,
    ...[`INSTALL=${install}`, 'AFTERWARDS=poweroff'],
    ...(from === 'server' ? [`IMAGESERVER=${lab.network.address}`] : []),
    ...(story.settings ?? []),
  ];
  // As an editor of another system leaves it.
  await writeFile(settings, `${lines.join('\r\n')}\r\n`);
  const carried = from === 'medium' ? ['--image', image] : [];
  await lab.imprintJson(['media', form, medium, ...carried, '--local-cfg', settings]);
  const disk = lab.diskOf(name);
  await makeDisk(disk, '4G');
  const { directory, network } = lab;
  const options: MachineOptions = { name, number, firmware, directory, network, disks: [disk], memory: 1024 };
  {
    // Secure Boot with Microsoft's keys, where the firmware is UEFI.
    await using machine = await Machine.start({ ...options, medium, secureBoot: firmware === 'uefi' });
    if (firmware === 'uefi') await machine.serial.expect(/UEFI Secure Boot is enabled/, 8 * minute);
    if (install === 'confirm') {
      await machine.serial.expect(/Type {2}yes {2}and Enter/, 8 * minute);
      machine.serial.type('yes');
    }
    await machine.serial.expect(new RegExp(`${name} is installed: powering off`), 15 * minute);
    await machine.ended;
  }
  const machine = await Machine.start({ ...options, logName: `${name}-2`, fromDisk: true, freshBoots: true });
  try {
    await machine.serial.expect(/E2E-READY [^\n]*\n/, 8 * minute);
    expect(await lab.fetch(`http://${address}/`)).toBe(goldenPage);
    expect((await lab.ssh(address, 'hostname')).trim()).toBe(name);
    return machine;
  } catch (error) {
    await machine.cutPower();
    throw error;
  }
}
