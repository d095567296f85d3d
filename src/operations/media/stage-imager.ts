import { ImprintError } from '../../foundation/errors.ts';
import type { BootEntry, BootPointer } from '../../machine/boot-pointer.ts';
import { type ImagerStart, imagerEntry, isImagerEntry } from '../../machine/imager-entry.ts';
import { forgetting, withTrial } from '../../machine/trial.ts';
import type { BootPartition } from '../../system/boot-partition.ts';
import { isUnsettled, settleOpenBoot } from '../update/settle-boot.ts';
import { type MachineView, openBoot, type ThisMachine, viewMachine } from '../update/this-machine.ts';
import { lockUpdate } from '../update/update-lock.ts';
import type { FetchedImager } from './fetch-imager.ts';

/**
 * Has a machine that Imprint installed start the imager at its next boot, and only then: an entry of the boot partition that is on trial for one boot, which GRUB counts before it
 * is begun. Whatever becomes of it, the boot after that is the machine as it is now. Cut anywhere, nothing has changed.
 *
 * Errors: `trial-running`, `update-running`, `disk-full`, `machine-unmanaged`, those of the boot partition.
 */
export async function stageImager(
  machine: ThisMachine,
  start: Omit<ImagerStart, 'record'>,
  fetch: () => Promise<FetchedImager>,
): Promise<BootEntry> {
  await using _lock = await lockUpdate('the imager goes to the boot partition');
  // Before 80 megabytes are fetched.
  await lookFirst(machine);
  const { record, vmlinuz, initrd } = await fetch();
  const entry = imagerEntry({ ...start, record }, new Date(machine.clock.now()).toISOString());
  await using boot = await openBoot(machine);
  await forgetImagers(boot, (await viewMachine(machine, boot)).pointer);
  const added = await boot.addEntry(entry, { vmlinuz, initrd });
  const { pointer } = await viewMachine(machine, boot);
  await boot.writePointer(withTrial(pointer, added.id, 1));
  return added;
}

/** Takes it back; whether there was anything to take back. Errors as above. */
export async function unstageImager(machine: ThisMachine): Promise<boolean> {
  await using _lock = await lockUpdate('the imager leaves the boot partition');
  await using boot = await openBoot(machine);
  const { entries, pointer } = await viewMachine(machine, boot);
  await forgetImagers(boot, pointer);
  return entries.some(({ id }) => isImagerEntry(id));
}

async function lookFirst(machine: ThisMachine): Promise<void> {
  await using boot = await openBoot(machine);
  const seen = await viewMachine(machine, boot);
  refuse(isUnsettled(seen) ? await settleOpenBoot(machine, boot) : seen);
}

/** The boot that is used for the imager must not be one that something else waits for. */
function refuse({ situation, running, pointer }: MachineView): void {
  if (situation.kind === 'trial' || situation.kind === 'dropped')
    throw new ImprintError('trial-running', { reference: running?.reference ?? 'What runs' });
  if (pointer.trial !== undefined && !isImagerEntry(pointer.trial))
    throw new ImprintError('update-running', { what: `${pointer.trial} waits for the restart` });
}

async function forgetImagers(boot: BootPartition, pointer: BootPointer): Promise<void> {
  const ids = (await boot.entries()).map(({ id }) => id).filter(isImagerEntry);
  const next = forgetting(pointer, ids);
  if (next !== undefined) await boot.writePointer(next);
  for (const id of ids) await boot.removeEntry(id);
}
