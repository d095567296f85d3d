import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemProcesses } from '../../src/system/run.ts';
import { cached, locked } from './cache.ts';
import { goldenMachine } from './golden.ts';

const minute = 60_000;
const checkout = join(import.meta.dirname, '../..');

/**
 * Copies a store into the data directory of a laboratory that holds two releases of one distribution as images of their own: `bookworm:1`, `bookworm:2` (with
 * a mark in `/etc/imprint-version`), and `trixie:1`.
 */
export async function takeReleaseStore(data: string): Promise<void> {
  const disks = {
    bookworm: (await goldenMachine()).disk,
    trixie: (await goldenMachine({ suite: 'trixie', initramfs: 'initramfs-tools' })).disk,
  };
  const recipe = await readFile(import.meta.filename, 'utf8');
  const store = await locked('release-store', () =>
    cached('release-store', [recipe, ...Object.values(disks)], async (directory) => {
      const imprint = (...args: string[]) =>
        systemProcesses.run(join(checkout, 'imprint'), args, {
          env: { IMPRINT_DATA: directory },
          timeout: 10 * minute,
        });
      for (const [name, disk] of Object.entries(disks)) await imprint('capture', disk, '--name', name);
      const script = 'echo v2 > /etc/imprint-version';
      await imprint('edit', 'bookworm:1', '--message', 'v2', '--', 'sh', '-ec', script);
    }),
  );
  await systemProcesses.run('cp', ['-a', '--reflink=auto', `${store}/.`, data], { timeout: 5 * minute });
}
