import { hash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { type BootRoot, placeOfSlot } from '../../machine/boot-arguments.ts';
import type { BootEntry, BootPointer } from '../../machine/boot-pointer.ts';
import { type BootKernel, pairKernels } from '../../machine/image-content.ts';
import { journalOfEntry } from '../../machine/in-place-journal.ts';
import { forgetting, withTrial } from '../../machine/trial.ts';
import type { BootPartition } from '../../system/boot-partition.ts';
import { rootFiles } from '../../system/root-files.ts';
import { type EntryMakers, prepareEntry } from '../install/prepare-entry.ts';
import { held } from './entry-files.ts';
import { failedUnits } from './health-checks.ts';
import { imageOf, isUnsettled, settleOpenBoot } from './settle-boot.ts';
import { type MachineView, openBoot, type ThisMachine, trialSeconds, viewMachine } from './this-machine.ts';
import { lockUpdate } from './update-lock.ts';

/** What became of a kernel that changed in the running system. */
export interface RefreshedBoot {
  /**
   * `current`: what boots is what lies in `/boot`. `staged`: the new one boots on trial at the next restart. `later`: something else waits for the restart,
   * and must not be disturbed. `only-removed`: nothing new, but entries whose modules are gone were taken away.
   */
  kind: 'current' | 'staged' | 'later' | 'only-removed';
  kernel: string;
  entry: string;
  /** Entries that went, for the kernel modules that they need are gone. */
  removed: string[];
}

/**
 * Brings the newest kernel of the running system, with its initial RAM disk, to the boot partition: another entry for the same root, which boots on trial
 * at the next restart; the one that runs stays the good one until it is proven. For what people install with the package manager, and for
 * `update-initramfs`. Cut anywhere, the machine boots as before. Errors: `machine-unmanaged`, `update-running`, `trial-running`, `image-unfit`, `disk-full`.
 */
export async function refreshBoot(machine: ThisMachine, task: Task, makers?: EntryMakers): Promise<RefreshedBoot> {
  await using _lock = await lockUpdate('a kernel goes to the boot partition');
  await using boot = await openBoot(machine);
  const seen = await viewMachine(machine, boot);
  const view = isUnsettled(seen) ? await settleOpenBoot(machine, boot) : seen;
  const { running, situation } = view;
  if (situation.kind === 'trial' || situation.kind === 'dropped' || running === undefined) {
    throw new ImprintError('trial-running', { reference: running?.reference ?? 'What runs' });
  }
  const kernel = await newestKernel(machine.root, running);
  // What somebody chose in the menu for once must not become what boots from now on, by the kernel that it got.
  if (situation.kind === 'stray')
    return { kind: 'later', kernel: kernel.version, entry: view.pointer.good, removed: [] };
  const removed = await removeDead(machine, boot, running);
  const known = await knownEntry(
    machine.root,
    kernel,
    (await boot.entries()).filter(({ slot }) => slot === running.slot),
  );
  const { pointer } = await viewMachine(machine, boot);
  const booting = pointer.trial ?? pointer.good;
  if (known?.id === booting || (known?.id === running.id && pointer.trial === undefined)) {
    return {
      kind: removed.length === 0 ? 'current' : 'only-removed',
      kernel: kernel.version,
      entry: known.id,
      removed,
    };
  }
  if (pointer.trial !== undefined && !isRefresh(pointer.trial)) {
    return { kind: 'later', kernel: kernel.version, entry: pointer.trial, removed };
  }
  const entry = known ?? (await addEntry(machine, boot, { ...view, running, pointer }, kernel, task, makers));
  await stage(machine, boot, running, entry);
  return { kind: 'staged', kernel: kernel.version, entry: entry.id, removed };
}

/** Ids of entries that are made here end so: `b-1f3c9a0d27e4-k1a2b3c`. */
function isRefresh(id: string): boolean {
  return /-k[0-9a-f]{6}$/.test(id);
}

/** The newest kernel in `/boot` that is whole: with its modules, and with an initial RAM disk where that of what runs has one. */
async function newestKernel(root: string, running: BootEntry): Promise<BootKernel> {
  const names = await readdir(join(root, 'boot'));
  const [kernel] = pairKernels(names).filter(
    ({ version, initrd }) => (initrd !== undefined || running.files.initrd === undefined) && hasModules(root, version),
  );
  if (kernel !== undefined) return kernel;
  throw new ImprintError('image-unfit', {
    reference: running.reference,
    machine: 'this machine',
    problem: '/boot holds no kernel with its initial RAM disk and its modules',
    hint: 'Install one (Debian: linux-image-amd64), or make its initial RAM disk: update-initramfs -u. What booted last still boots.',
  });
}

function hasModules(root: string, version: string): boolean {
  return ['usr/lib/modules', 'lib/modules'].some((place) => existsSync(join(root, place, version)));
}

/** The entry that has this kernel and this initial RAM disk already. */
async function knownEntry(
  root: string,
  kernel: BootKernel,
  entries: readonly BootEntry[],
): Promise<BootEntry | undefined> {
  const files = rootFiles(root);
  const digest = async (name: string | undefined) =>
    name === undefined ? undefined : hash('sha256', await readFile(await files.resolve(`boot/${name}`)));
  const [vmlinuz, initrd] = [await digest(kernel.kernel), await digest(kernel.initrd)];
  return entries.find((entry) => entry.files.vmlinuz === vmlinuz && entry.files.initrd === initrd);
}

async function addEntry(
  machine: ThisMachine,
  boot: BootPartition,
  { running, layout, entries, pointer, systems }: MachineView & { running: BootEntry },
  kernel: BootKernel,
  task: Task,
  makers?: EntryMakers,
): Promise<BootEntry> {
  const { processes, clock, root } = machine;
  const place = bootRoot({ layout, entries }, running);
  const options: string[] = [];
  const request = { processes, root, kernel, boot: place, slot: running.slot, layout, options };
  const prepared = await prepareEntry({ ...request, ...(makers && { makers }) }, task);
  if (prepared.files.addition === undefined && running.files['addition.cpio'] !== undefined) {
    throw new ImprintError('image-unfit', {
      reference: `Linux ${kernel.version}`,
      machine: 'this machine',
      problem: `its initial RAM disk ${kernel.initrd} was made by neither initramfs-tools nor dracut`,
      hint: 'Install one of them. What booted last still boots.',
    });
  }
  const files = await held(prepared.files);
  const mark = hash('sha256', Buffer.concat([files.vmlinuz, files.initrd ?? Buffer.alloc(0)])).slice(0, 6);
  const id = `${running.id.replace(/-k[0-9a-f]{6}$/, '')}-k${mark}`;
  const limit = `imprint.limit=${trialSeconds(machine)}`;
  const entry = {
    ...running,
    id,
    title: `${running.title.replace(/ · Linux \S+$/, '')} · Linux ${kernel.version}`,
    kernelVersion: kernel.version,
    kernelOptions: [...running.kernelOptions.filter((option) => !option.startsWith('imprint.limit=')), limit],
    created: new Date(clock.now()).toISOString(),
  };
  const { files: _before, ...named } = entry;
  await removeStale(boot, running, pointer, systems);
  task.log(`Linux ${kernel.version} goes to the boot partition as ${id}`);
  return await boot.addEntry(named, files);
}

/** Makes room: of this root only what runs, and what one goes back to, is needed. A trial of an earlier kernel is given up for the new one. */
async function removeStale(
  boot: BootPartition,
  running: BootEntry,
  pointer: BootPointer,
  systems: MachineView['systems'],
): Promise<void> {
  const needed = [pointer.good, pointer.previous, ...systems.flatMap(({ good, previous }) => [good, previous])];
  const stale = (await boot.entries())
    .filter(({ id, slot }) => slot === running.slot && isRefresh(id))
    .map(({ id }) => id)
    .filter((id) => id !== running.id && !needed.includes(id));
  const next = forgetting(pointer, stale);
  if (next !== undefined) await boot.writePointer(next);
  for (const id of stale) await boot.removeEntry(id);
}

async function stage(machine: ThisMachine, boot: BootPartition, running: BootEntry, entry: BootEntry): Promise<void> {
  const { clock, processes, settings } = machine;
  const { pointer, failure } = await viewMachine(machine, boot);
  if (failure !== undefined) await boot.writeFailure(undefined);
  const version = { image: running.reference, digest: running.digest };
  await boot.writeUpdateNote({
    ...{ format: 1, kind: 'update', entry: entry.id, from: version, to: version },
    ...{ started: clock.now(), failedUnits: await failedUnits(processes) },
  });
  await boot.writePointer(withTrial(pointer, entry.id, settings.tries));
}

/** Entries of this root whose modules the package manager has removed would come up without drivers; the one that runs, and the good one, stay. */
async function removeDead({ root }: ThisMachine, boot: BootPartition, running: BootEntry): Promise<string[]> {
  const pointer = await boot.pointer();
  const dead = (await boot.entries()).filter(
    ({ id, slot, kernelVersion, digest }) =>
      slot === running.slot &&
      digest === running.digest &&
      id !== running.id &&
      id !== pointer?.good &&
      !hasModules(root, kernelVersion),
  );
  // The way back of an update in place brings its modules back with it.
  const ids = dead.filter(({ kernelOptions }) => journalOfEntry(kernelOptions) === undefined).map(({ id }) => id);
  if (pointer === undefined || ids.length === 0) return [];
  const next = forgetting(pointer, ids);
  if (next !== undefined) await boot.writePointer(next);
  for (const id of ids) await boot.removeEntry(id);
  return ids;
}

function bootRoot({ layout, entries }: Pick<MachineView, 'layout' | 'entries'>, running: BootEntry): BootRoot {
  const image = imageOf(entries, running.id);
  if (layout.host !== undefined && image !== undefined) return { purpose: 'file', host: layout.host.uuid, image };
  const slot = layout.slots.find(({ name }) => name === running.slot);
  const purpose = layout.layout === 'single' ? 'in-place' : 'partition';
  return { purpose, ...(slot === undefined ? { uuid: '' } : placeOfSlot(slot)) };
}
