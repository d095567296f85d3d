import { access, readFile } from 'node:fs/promises';
import { dmiUuid } from '../machine/machine-facts.ts';

/** What tells this machine from others, and how it was started. */
export async function readMachineNames(): Promise<{ uuid?: string; firmware: 'bios' | 'uefi' }> {
  const uuid = dmiUuid(await readFile('/sys/class/dmi/id/product_uuid', 'utf8').catch(() => undefined));
  const isUefi = await access('/sys/firmware/efi').then(
    () => true,
    () => false,
  );
  return { ...(uuid === undefined ? {} : { uuid }), firmware: isUefi ? 'uefi' : 'bios' };
}
