import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemProcesses } from '../../src/system/run.ts';
import { hashDisk, overlayDisk } from '../lab/disk.ts';
import { goldenPage } from '../lab/golden.ts';
import type { Laboratory } from '../lab/laboratory.ts';
import { type Firmware, Machine, macAddress } from '../lab/machine.ts';
import { startSiteDhcp } from '../lab/site-dhcp.ts';
import { failed, laboratoryWithVersion } from './prepared.ts';

const minute = 60_000;
let lab: Laboratory;
let dhcp: AsyncDisposable | undefined;
let digest: string;
const formats = ['raw', 'qcow2'] as const;
/** Digest of what was captured from each image. */
const again = new Map<string, string>();
const imageOf = (format: string) => join(lab.directory, `web.${format}`);

beforeAll(async () => {
  lab = await laboratoryWithVersion();
  digest = (await lab.imprintJson<{ record: { digest: string } }>(['image', 'show', 'web:1'])).record.digest;
  // One after the other: a store has one writer at a time.
  for (const format of formats) {
    await lab.imprintJson(['image', 'export', 'web:1', imageOf(format)]);
    const captured = await lab.imprintJson<{ digest: string }>([
      'capture',
      imageOf(format),
      '--name',
      `again-${format}`,
    ]);
    again.set(format, captured.digest);
  }
  // Without an address a machine waits two minutes for one before it is up.
  dhcp = await startSiteDhcp(lab.network, lab.directory, {
    [macAddress(18)]: '10.9.0.18',
    [macAddress(19)]: '10.9.0.19',
  });
});
afterAll(async () => {
  await dhcp?.[Symbol.asyncDispose]();
  await lab?.[Symbol.asyncDispose]();
});

// Both at once: each machine keeps one core busy.
describe.concurrent.each<{ firmware: Firmware; format: (typeof formats)[number]; number: number }>([
  { firmware: 'bios', format: 'raw', number: 18 },
  { firmware: 'uefi', format: 'qcow2', number: 19 },
])('a version written as a $format disk', ({ firmware, format, number }) => {
  it(`boots on ${firmware} as it is, and is captured again as the same version`, { timeout: 10 * minute }, async () => {
    try {
      const image = imageOf(format);
      expect(again.get(format)).toBe(digest);

      const name = `disk-${firmware}`;
      const disk = join(lab.directory, `${name}.qcow2`);
      await overlayDisk(disk, image, format);
      const untouched = format === 'qcow2' ? await hashDisk(image) : undefined;
      await using machine = await Machine.start({
        ...{ name, directory: lab.directory, network: lab.network, number, firmware },
        ...{ disks: [disk], memory: 512, fromDisk: true },
      });
      await machine.serial.expect(/E2E-READY golden [^\n]*\n/, 8 * minute);
      expect(await lab.fetch(`http://10.9.0.${number}/`)).toBe(goldenPage);
      await machine.cutPower();
      if (untouched !== undefined) expect(await hashDisk(image)).toBe(untouched);
      // The file system that we laid out is one that Linux has written to and fsck finds whole.
      const raw = `${disk}.raw`;
      await systemProcesses.run('qemu-img', ['convert', '-O', 'raw', disk, raw], { timeout: 2 * minute });
      const { stdout } = await systemProcesses.run('sfdisk', ['--json', raw]);
      const root = JSON.parse(stdout).partitiontable.partitions.at(-1);
      const part = `${disk}.part`;
      const piece = [`if=${raw}`, `of=${part}`, 'bs=1M', `skip=${root.start / 2048}`, 'conv=sparse', 'status=none'];
      await systemProcesses.run('dd', piece, { timeout: 2 * minute });
      const checked = await systemProcesses.run('e2fsck', ['-f', '-y', part], {
        timeout: 2 * minute,
        // 1: power was cut, and the journal was replayed.
        accept: [0, 1],
      });
      expect(checked.stdout).not.toMatch(/corrupt|illegal|invalid|multiply/i);
    } catch (error) {
      await failed(lab, error);
      throw error;
    }
  });
});
