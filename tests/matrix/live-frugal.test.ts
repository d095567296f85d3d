import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { mountDevice, unmountTree } from '../../src/system/mount.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { failed, laboratoryWithVersion } from '../e2e/prepared.ts';
import type { Laboratory } from '../lab/laboratory.ts';
import { Machine, type MachineOptions, macAddress } from '../lab/machine.ts';
import { startSiteDhcp } from '../lab/site-dhcp.ts';
import { record } from './table.ts';

const minute = 60_000;
const { run } = systemProcesses;
let lab: Laboratory;

beforeAll(async () => {
  lab = await laboratoryWithVersion();
});
afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
});

/** What the first entry of the directory's menu tells the kernel. */
function wordsOf(menu: string): string {
  return (/^ {2}linux '?[^' ]+'? (.*)$/m.exec(menu)?.[1] ?? '').replaceAll("'", '');
}

it(
  'a system that lies as files on a partition starts from there, and keeps what it wrote',
  async () => {
    const [name, address] = ['frugal', '10.9.0.64'];
    let itself: string | undefined;
    const began = performance.now();
    const told = { row: 'live-frugal', name: 'twice', seconds: () => (performance.now() - began) / 1000 };
    const { directory, network } = lab;
    const disk = join(directory, 'frugal.raw');
    const mounted = join(directory, 'partition');
    try {
      await run('truncate', ['-s', '4G', disk]);
      await run('mkfs.ext4', ['-q', '-F', disk]);
      await mountDevice(systemProcesses, { device: disk, directory: mounted, type: 'ext4', options: 'loop' });
      const files = join(directory, 'started');
      let words: string;
      try {
        await lab.make(['media', 'frugal', mounted, '--image', 'web', '--changes', '1G', '--entry', 'none']);
        await run('mkdir', [files]);
        await run('cp', [join(mounted, 'imprint-live/vmlinuz'), join(mounted, 'imprint-live/initrd.img'), files]);
        words = wordsOf(await readFile(join(mounted, 'imprint-live/grub.cfg'), 'utf8'));
      } finally {
        await unmountTree(systemProcesses, mounted, systemClock);
      }
      expect(words).toContain('imprint.live.changes=changes');
      const commandLine = `${words} console=ttyS0,115200 no_timer_check mitigations=off nokaslr`;
      const kernel = { kernel: join(files, 'vmlinuz'), initrd: join(files, 'initrd.img'), commandLine };
      const options: MachineOptions = { name, number: 64, directory, network, disks: [disk], memory: 2048, kernel };
      await using _dhcp = await startSiteDhcp(network, directory, { [macAddress(64)]: address });
      for (const start of [1, 2]) {
        await using machine = await Machine.start({ ...options, logName: `${name}-${start}` });
        await machine.serial.expect(/E2E-READY [^\n]*\n/, 12 * minute, 0);
        expect((await lab.ssh(address, 'findmnt -no SOURCE /')).trim()).toBe('/dev/mapper/imprint-root');
        const kept = await lab.ssh(address, `cat /root/kept 2>/dev/null; echo start ${start} >> /root/kept; sync`);
        expect(kept).toBe(start === 1 ? '' : 'start 1\n');
        const id = (await lab.ssh(address, 'cat /etc/machine-id')).trim();
        expect(id).toBe(itself ?? id);
        itself = id;
        // The power fails: what was synced is there.
        await machine.cutPower();
      }
      record({ ...told, outcome: 'started twice from the files; what the first start wrote and synced was there' });
    } catch (error) {
      record({ ...told, outcome: `FAILED: ${String(error).split('\n', 1)[0]}` });
      await failed(lab, error);
      throw error;
    }
  },
  40 * minute,
);
