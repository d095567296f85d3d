import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemProcesses } from '../../src/system/run.ts';
import { cached, locked } from './cache.ts';
import { type Golden, goldenMachine } from './golden.ts';

const minute = 60_000;
const checkout = join(import.meta.dirname, '../..');

/** The golden machine with the tools of arrays, volume groups, encryption and every file system. */
export function stackGolden(): Promise<Golden> {
  return goldenMachine({ suite: 'bookworm', initramfs: 'initramfs-tools', more: 'stack' });
}

/** Copies a store into the data directory of a laboratory that holds `web:1`, the usual golden machine, and `stack:1`, that of `stackGolden`. */
export async function takeStackStore(data: string): Promise<void> {
  const disks = { web: (await goldenMachine()).disk, stack: (await stackGolden()).disk };
  const recipe = await readFile(import.meta.filename, 'utf8');
  const store = await locked('stack-store', () =>
    cached('stack-store', [recipe, ...Object.values(disks)], async (directory) => {
      for (const [name, disk] of Object.entries(disks)) {
        const options = { env: { IMPRINT_DATA: directory }, timeout: 10 * minute };
        await systemProcesses.run(join(checkout, 'imprint'), ['capture', disk, '--name', name], options);
      }
    }),
  );
  await systemProcesses.run('cp', ['-a', '--reflink=auto', `${store}/.`, data], { timeout: 5 * minute });
}
