import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemProcesses } from '../../src/system/run.ts';
import { failed, laboratoryWithVersion } from '../e2e/prepared.ts';
import { cacheDirectory } from '../lab/cache.ts';
import { makeDisk } from '../lab/disk.ts';
import type { Laboratory } from '../lab/laboratory.ts';
import { Machine } from '../lab/machine.ts';
import { record } from './table.ts';

const minute = 60_000;
const imprint = join(import.meta.dirname, '../../imprint');
/** Of the modules that a self test looks for, those that drive cards and disks. */
const isHardware =
  /^the module (?!(?:nbd|loop|overlay|isofs|squashfs|ext4|xfs|btrfs|vfat|dm_\w+|nls_\w+) )\S+ is missing$/;
let lab: Laboratory;

beforeAll(async () => {
  lab = await laboratoryWithVersion();
});
afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
});

it.each([
  { form: 'usb', firmware: 'bios', number: 61 },
  { form: 'iso', firmware: 'uefi', number: 62 },
] as const)(
  'the first entry of a live medium ($form, $firmware) starts the imager with the version’s own kernel, which makes all that a live root is of',
  async ({ form, firmware, number }) => {
    const began = performance.now();
    const told = {
      row: 'live-media',
      name: `${form}, ${firmware}: self test`,
      seconds: () => (performance.now() - began) / 1000,
    };
    try {
      const medium = join(lab.directory, `live-${number}.${form === 'usb' ? 'raw' : 'iso'}`);
      // Outside of the laboratory's network: where no base with this kernel is kept, packages are fetched.
      const options = ['--image', 'web', '--live', '--kernel-options', 'imprint.selftest', '--json'];
      const { stdout } = await systemProcesses.run(imprint, ['media', form, medium, ...options], {
        env: { ...lab.environment(), IMPRINT_CACHE: cacheDirectory() },
        timeout: 15 * minute,
      });
      expect(JSON.parse(stdout)).toMatchObject({
        live: 'web:1',
        warnings: expect.arrayContaining([expect.stringContaining('it will not find what it was started from')]),
      });
      const name = `live-${form}-${number}`;
      const disk = lab.diskOf(name);
      await makeDisk(disk, '1G');
      const { directory, network } = lab;
      await using machine = await Machine.start({
        ...{ name, number, firmware, directory, network, disks: [disk], memory: 1024 },
        ...{ medium, secureBoot: firmware === 'uefi' },
      });
      // By itself: nobody chose the entry.
      await machine.serial.expect(/Loading web:1\./, 6 * minute);
      const said = await machine.serial.expect(/IMAGER-SELFTEST [^\n]*\n/, 8 * minute);
      expect(said).toMatch(/ kernel=\S+-cloud-amd64 /);
      // That kernel knows few cards, and says so. All else is there, and was tried: file systems, a network block device, a snapshot that is found again.
      const problems = said.trim().split('; ').slice(1);
      expect(problems.filter((problem) => !isHardware.test(problem))).toEqual([]);
      await machine.ended;
      record({ ...told, outcome: 'ok, with the kernel of web:1' });
    } catch (error) {
      record({ ...told, outcome: `FAILED: ${String(error).split('\n', 1)[0]}` });
      await failed(lab, error);
      throw error;
    }
  },
  30 * minute,
);
