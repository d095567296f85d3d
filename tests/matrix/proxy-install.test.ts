import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemProcesses } from '../../src/system/run.ts';
import { type ForeignDhcp, startForeignDhcp } from '../lab/foreign-dhcp.ts';
import { Laboratory } from '../lab/laboratory.ts';
import { captureGoldenDisk, installFromNetwork, told } from './from-network.ts';

const minute = 60_000;
const name = 'proxy-61';
let lab: Laboratory;
let site: ForeignDhcp;

beforeAll(async () => {
  lab = await Laboratory.open();
  site = await startForeignDhcp(lab.network, lab.directory);
  await captureGoldenDisk(lab);
  await lab.buildImager();
  await lab.startServer(['--proxy-dhcp']);
});
afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
  await lab?.[Symbol.asyncDispose]();
});

/** A disk that something is on: what boots from it must be kept before the install. */
async function usedDisk(): Promise<void> {
  const raw = join(lab.directory, 'used.raw');
  const table = 'label: dos\nlabel-id: 0x1234abcd\nstart=2048, size=204800, type=83, bootable\n';
  await systemProcesses.run('truncate', ['-s', '4G', raw]);
  await systemProcesses.run('sfdisk', ['--quiet', raw], { input: table });
  const convert = ['convert', '-q', '-f', 'raw', '-O', 'qcow2', raw, lab.diskOf(name)];
  await systemProcesses.run('qemu-img', convert, { timeout: minute });
  await rm(raw);
}

it(
  'beside the DHCP server of a site, a BIOS machine is installed with an address of the site’s, and what booted before is kept',
  () =>
    told(lab, 'proxy-install', 'bios', async () => {
      await usedDisk();
      const addressOf = async (mac: string) => (await site.leases()).get(mac);
      const story = { name, number: 61, firmware: 'bios', boots: /Filename: boot\.ipxe/, addressOf } as const;
      await using _machine = await installFromNetwork(lab, story);
      const { copies } = await lab.imprintJson<{ copies: object[] }>(['boot', 'copies', name]);
      expect(copies).toMatchObject([
        { number: 1, order: expect.any(String), disk: { path: '/dev/vda', serial: `${name}-0` } },
      ]);
      return 'installed, and itself; the server has what booted before';
    }),
  50 * minute,
);
