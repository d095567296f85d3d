import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tftpFiles } from '../../src/netboot/dnsmasq.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { type ForeignDhcp, startForeignDhcp } from '../lab/foreign-dhcp.ts';
import { Laboratory } from '../lab/laboratory.ts';
import { type Firmware, Machine } from '../lab/machine.ts';
import type { PxeTalk } from '../lab/pxe-client.ts';
import { failed } from './prepared.ts';

const second = 1000;
const minute = 60 * second;

let lab: Laboratory;
let site: ForeignDhcp;

beforeAll(async () => {
  lab = await Laboratory.open();
  site = await startForeignDhcp(lab.network, lab.directory);
});

afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
  await lab?.[Symbol.asyncDispose]();
});

/** Tells where the logs are when it fails. */
async function step(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    await failed(lab, error);
    throw error;
  }
}

it('a network that has a DHCP server gets no second one', () =>
  step(async () => {
    const refused = await lab.imprint([...lab.serveWords(), '--json'], minute);
    expect(refused, refused.stderr).toMatchObject({ status: 4 });
    expect(refused.stderr).toContain('dhcp-foreign');
    expect(refused.stderr).toContain(site.address);
    expect(refused.stderr).toContain('--proxy-dhcp');
    // Nothing of ours was left that would answer.
    expect((await lab.network.run('ss', ['-Hlun'])).stdout).not.toMatch(/:(67|69|4011)\b/);
  }));

it('beside it, ours hands out no address, and says where to boot from', () =>
  step(async () => {
    await lab.buildImager();
    await lab.startServer(['--proxy-dhcp']);
    const client = join(import.meta.dirname, '../lab/pxe-client.ts');
    const { stdout } = await site.run(process.execPath, [client, site.address, '52:54:00:09:00:50']);
    const said = JSON.parse(stdout) as PxeTalk;
    expect(said).toEqual({ addressesFrom: [site.address], bootFrom: [lab.network.address], file: tftpFiles.bios });
  }));

// BIOS: QEMU's card boots by iPXE. UEFI: by the firmware's own PXE, which loads iPXE. Both at once: each keeps one core busy.
describe.concurrent.each<{ firmware: Firmware; number: number }>([
  { firmware: 'bios', number: 40 },
  { firmware: 'uefi', number: 41 },
])('a bare $firmware machine', ({ firmware, number }) => {
  it('boots the imager, is discovered, and has its address from the site', () =>
    step(async () => {
      await using bare = await lab.startBare({ name: `bare-${firmware}`, number, firmware });
      await bare.serial.expect(`Filename: ${tftpFiles.script}`, 2 * minute);
      const found = await lab.untilMachine(bare.mac, 'is discovered', 6 * minute, (each) => each.facts !== undefined);
      expect(found).toMatchObject({ state: 'discovered', approved: false, facts: { firmware } });
      const address = (await site.leases()).get(bare.mac);
      expect(address).toMatch(/^10\.9\.0\.1[0-4]\d$/);
      expect(found.facts?.interfaces.find(({ mac }) => mac === bare.mac)?.address).toContain(address);
    }));
});

it('a BIOS machine whose card has PXE alone goes on with the iPXE that it is given', () =>
  step(async () => {
    // The card's ROM is played by an iPXE that only offers its PXE interface to what it was told to load.
    const script = join(lab.directory, 'card.ipxe');
    await writeFile(script, `#!ipxe\ndhcp && chain tftp://${lab.network.address}/${tftpFiles.bios}\n`);
    await using machine = await Machine.start({
      ...{ name: 'plain-pxe', directory: lab.directory, network: lab.network, number: 42, disks: [], memory: 256 },
      kernel: { kernel: '/usr/lib/ipxe/ipxe.lkrn', initrd: script, commandLine: '' },
    });
    await machine.serial.expect(/using undionly[\s\S]*Filename: boot\.ipxe[\s\S]*Imprint: asking/, 2 * minute);
    await machine.serial.expect(/Imprint: [^\n]* starts the imager/, 30 * second);
  }));

it('and nothing is left of it: no address of ours, no process, no network', async () => {
  // An empty file of leases, or none.
  expect(await readFile(join(lab.data, 'dnsmasq/leases'), 'utf8').catch(() => '')).toBe('');
  const running = (await processesOf(lab.directory)).join('\n');
  for (const one of ['serve --netboot', 'dnsmasq --keep-in-foreground']) expect(running).toContain(one);
  await site[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
  expect(await processesOf(lab.directory)).toEqual([]);
  expect((await systemProcesses.run('ip', ['netns', 'list'])).stdout).not.toContain(lab.network.name);
});

/** Command lines of all processes that were told of a directory, by a word or by their environment. */
async function processesOf(directory: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const read = (pid: string, file: string) => readFile(join('/proc', pid, file), 'latin1').catch(() => '');
  const all = pids.map(async (pid) => ({ words: await read(pid, 'cmdline'), environment: await read(pid, 'environ') }));
  return (await Promise.all(all))
    .filter(({ words, environment }) => `${words}\0${environment}`.includes(directory))
    .map(({ words }) => words.replaceAll('\0', ' '));
}
