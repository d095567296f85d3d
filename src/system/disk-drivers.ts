import { readdir, readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** A driver on the way from the machine to one of its disks. */
export interface DiskDriver {
  /** Name of its kernel module, as below `/sys/module`; of a driver that is built into this kernel: the driver's name in that form. */
  name: string;
  /** Whether this kernel has it as a module. */
  module: boolean;
}

/**
 * The drivers through which this machine reaches a block device: of the disk, of its controller, of the buses above; below RAID, LVM and the like
 * those of each disk. Empty where `/sys` does not tell.
 */
export async function diskDrivers(device: string, sys = '/sys'): Promise<DiskDriver[]> {
  const found = new Map<string, DiskDriver>();
  await collect(await realpath(join(sys, 'class/block', basename(await realpath(device)))).catch(() => ''), sys, found);
  return [...found.values()];
}

async function collect(place: string, sys: string, found: Map<string, DiskDriver>): Promise<void> {
  for (let at = place; at.startsWith(`${sys}/`) && at !== `${sys}/devices`; at = dirname(at)) {
    const driver = await readlink(join(at, 'driver')).catch(() => undefined);
    if (driver === undefined) continue;
    const module = await readlink(join(at, 'driver/module')).catch(() => undefined);
    const name = basename(module ?? driver).replaceAll('-', '_');
    found.set(name, { name, module: module !== undefined && (await isLoaded(sys, name)) });
  }
  for (const lower of await readdir(join(place, 'slaves')).catch((): string[] => [])) {
    await collect(await realpath(join(sys, 'class/block', lower)).catch(() => ''), sys, found);
  }
}

/** What is built in has a directory there, too, but no state. */
async function isLoaded(sys: string, name: string): Promise<boolean> {
  return (await readdir(join(sys, 'module', name)).catch((): string[] => [])).includes('initstate');
}
