import { readFile } from 'node:fs/promises';
import { ImprintError } from '../foundation/errors.ts';
import { partitionLabels } from '../machine/installed-layout.ts';
import { splitKernelOptions } from '../machine/kernel-options.ts';
import type { Processes } from './run.ts';

/**
 * Device of the boot partition of the machine that runs: by the UUID that GRUB put on the kernel's command line (`imprint.boot=`), where it
 * was booted by GRUB; else by its label, which must then be the only one. Errors: `boot-partition-missing`.
 */
export async function findBootPartition(processes: Processes, commandLine?: string): Promise<string> {
  const words = splitKernelOptions((commandLine ?? (await readFile('/proc/cmdline', 'utf8'))).trim());
  const uuid = words.findLast((word) => word.startsWith('imprint.boot='))?.slice('imprint.boot='.length);
  const wanted = uuid === undefined ? `LABEL=${partitionLabels.boot}` : `UUID=${uuid}`;
  // Never the cache: it knows disks that are gone.
  const args = ['-c', '/dev/null', '-o', 'device', '-t', wanted];
  const { stdout } = await processes.run('blkid', args, { timeout: 60_000, accept: [0, 2] });
  const devices = stdout.split('\n').filter((line) => line !== '');
  const [device] = devices;
  if (device === undefined) throw new ImprintError('boot-partition-missing', { problem: `nothing has ${wanted}` });
  if (devices.length > 1) {
    throw new ImprintError('boot-partition-missing', { problem: `${devices.join(' and ')} both have ${wanted}` });
  }
  return device;
}
