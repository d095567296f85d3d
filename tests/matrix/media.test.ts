import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemProcesses } from '../../src/system/run.ts';
import { installFromMedium, type MediaStory, mediaKernelOptions } from '../e2e/media-story.ts';
import { failed } from '../e2e/prepared.ts';
import { goldenPage } from '../lab/golden.ts';
import { Laboratory } from '../lab/laboratory.ts';
import type { Firmware, Machine } from '../lab/machine.ts';
import { captureGoldenDisk } from './from-network.ts';
import { withKexec } from './restart-store.ts';
import { record } from './table.ts';

const minute = 60_000;
let lab: Laboratory;

beforeAll(async () => {
  lab = await Laboratory.open();
  await captureGoldenDisk(lab);
  // Outside of the laboratory's network: a package is fetched.
  const edit = ['edit', 'web', '--tag', 'kexec', '--', 'sh', '-ec', await withKexec('bookworm')];
  const imprint = join(import.meta.dirname, '../../imprint');
  await systemProcesses.run(imprint, edit, { env: lab.environment(), timeout: 10 * minute });
  await lab.buildImager();
  // It gives out no addresses, and starts nobody: what is left of a server where the network is another's.
  await lab.startPlainServer();
});
afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
});

interface Row {
  readonly firmware: Firmware;
  readonly number: number;
  /** How it goes over to the imager the second time. */
  readonly restart: 'full' | 'kexec';
}

describe.each<Row>([
  { firmware: 'bios', number: 42, restart: 'full' },
  { firmware: 'uefi', number: 44, restart: 'kexec' },
])('without DHCP, on $firmware', ({ firmware, number, restart }) => {
  const image = restart === 'kexec' ? 'web:kexec' : 'web:1';
  const stick = { form: 'usb', firmware, number, image } as const;
  const wired: MediaStory = { ...stick, install: 'unattended', from: 'server' };
  const address = `10.9.0.${number}`;
  const name = `media-usb-${number}`;
  let machine: Machine | undefined;
  afterAll(() => machine?.cutPower());

  /** A test that is told in the table. */
  function story(title: string, act: () => Promise<string>): void {
    it(
      title,
      async () => {
        const began = performance.now();
        const told = { row: 'media', name: `${firmware}: ${title}`, seconds: () => (performance.now() - began) / 1000 };
        try {
          record({ ...told, outcome: await act() });
        } catch (error) {
          record({ ...told, outcome: `FAILED: ${String(error).split('\n', 1)[0]}` });
          await failed(lab, error);
          throw error;
        }
      },
      45 * minute,
    );
  }

  /** The machine of `wired`, once it is installed: each of the next tests goes on with it. */
  function installed(): Machine {
    if (machine === undefined) throw new Error('it was not installed');
    return machine;
  }

  /** Has it start the imager from its own disk. Returns where its console was before. */
  async function startImager(how: Row['restart'], ...options: string[]): Promise<number> {
    const { serial } = installed();
    const mark = serial.mark();
    if (how === 'kexec') {
      // It takes the connection down with it.
      await lab.ssh(address, `imprint media disk --reboot kexec ${options.join(' ')}`, 5 * minute).catch(() => {});
    } else {
      const said = await lab.ssh(address, `imprint media disk ${options.join(' ')} --json`, 5 * minute);
      expect(JSON.parse(said)).toMatchObject({ by: 'imprint', server: 'http://10.9.0.1:4280' });
      await lab.ssh(address, 'systemctl reboot').catch(() => {});
    }
    const way = await serial.expect(/^[\s\S]*Imprint imager, kernel/, 6 * minute, mark);
    await serial.expect(new RegExp(`Network: ${address.replaceAll('.', '\\.')}/24`), 3 * minute, mark);
    // Past the firmware and its boot loader.
    if (how === 'kexec') expect(way).not.toMatch(/GRUB|BdsDxe/);
    return mark;
  }

  story('a stick installs a machine from a server', async () => {
    machine = await installFromMedium(lab, wired);
    return 'it came up with the address of local.cfg';
  });

  story('it starts the imager from its own disk, and without an order is itself again', async () => {
    const { serial } = installed();
    await lab.ssh(address, 'touch /root/before');
    const started = await startImager('full', '--patience', '1');
    await serial.expect(/No order in 60 seconds/, 4 * minute, started);
    await serial.expect(/E2E-READY [^\n]*\n/, 6 * minute, started);
    expect(await lab.ssh(address, 'ls /root/before')).toBe('/root/before\n');
    await lab.until('nothing is left of the imager', 3 * minute, async () => {
      const slots = JSON.parse(await lab.ssh(address, 'imprint slots --json'));
      return slots.situation === 'settled' && slots.slots.length === 1 && slots.failure === undefined;
    });
    return 'nothing was left of the imager';
  });

  story(`with an order it is installed anew, with nobody there (${restart})`, async () => {
    const { serial, mac } = installed();
    const known = await lab.untilMachine(mac, 'is known', minute, () => true);
    const wish = ['--name', name, '--image', stick.image, '--address', address];
    if (!known.approved) await lab.imprintJson(['machine', 'approve', known.name, ...wish]);
    await lab.imprintJson(['install', name, '--kernel-options', mediaKernelOptions, '--yes']);
    const started = await startImager(restart);
    await serial.expect(new RegExp(`${name} is installed: restarting`), 15 * minute, started);
    await serial.expect(/E2E-READY [^\n]*\n/, 6 * minute, started);
    // Nobody gives out addresses: it has that of the system before.
    expect(await lab.fetch(`http://${address}/`)).toBe(goldenPage);
    expect(await lab.ssh(address, 'ls /root')).not.toContain('before');
    // What booted before can be had back.
    const { copies } = await lab.imprintJson<{ copies: object[] }>(['boot', 'copies', name]);
    expect(copies).toHaveLength(1);
    return 'it came up with its address';
  });
});
