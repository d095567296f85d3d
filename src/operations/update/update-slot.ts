import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ImprintError } from '../../foundation/errors.ts';
import { namedSystem, systemOf } from '../../machine/boot-systems.ts';
import { machineKernelOptions } from '../../machine/entry-options.ts';
import { readImageContent } from '../../machine/image-content.ts';
import { agentPaths, hostMounts } from '../../machine/installed-layout.ts';
import { forgetting, withTrial } from '../../machine/trial.ts';
import { chooseSlot, entriesThatStay } from '../../planning/choose-slot.ts';
import type { BootPartition } from '../../system/boot-partition.ts';
import { expectSlotRoom } from './expect-room.ts';
import { fetchUpdate } from './fetch-update.ts';
import { fillFileSlot, removeUnreferencedImages } from './fill-file-slot.ts';
import { fillPartitionSlot } from './fill-partition-slot.ts';
import type { FilledSlot, FillRequest } from './fill-slot.ts';
import { failedUnits } from './health-checks.ts';
import { leftBehind } from './left-behind.ts';
import { requireFit } from './preflight.ts';
import { planRestart } from './restart-into.ts';
import { keepMachineObject, requireStateDirectory, stateDirectoryOf } from './save-object.ts';
import { forgetIdleRevert, imageOf } from './settle-boot.ts';
import { type MachineView, openBoot, type ThisMachine, trialSeconds, viewMachine } from './this-machine.ts';
import type { UpdateContent } from './update-content.ts';
import type { DoneUpdate, UpdateWork } from './update-work.ts';

/**
 * Updates by filling another slot: a system partition, or an image file on the host partition. In this order, so that a cut anywhere leaves the old version
 * booting: what would be overwritten leaves the pointer and the menu; the slot is filled, synced and read back; its entry is written; then one record of the
 * pointer has it tried.
 */
export async function updateSlot(work: UpdateWork): Promise<DoneUpdate> {
  const { machine, view, request, reference, digest, task } = work;
  const slot = slotFor(work);
  await expectSlotRoom(work, slot);
  await requireStateDirectory(machine.settings);
  await using content = await task.part('fetch what is missing', (part) => fetchUpdate(fetchRequest(work, part)));
  await task.part('see whether it would come up here', (part) =>
    requireFit({ content, reference, layout: view.layout, slot, processes: machine.processes }, part),
  );
  await task.part('make room', () => clearSlot(machine, slot, digest));
  const filled = await task.part(`fill the slot ${slot}`, (part) => fill({ ...work, task: part }, slot, content));
  const before = await failedUnits(machine.processes, task.signal);
  const tries = request.options.tries ?? machine.settings.tries;
  await task.part('write the boot entry', async () => {
    task.signal.throwIfAborted();
    await using boot = await openBoot(machine);
    await boot.addEntry(filled.entry, filled.files);
    await noteUpdate(work, boot, filled.entry.id, before);
    const { pointer } = await viewMachine(machine, boot);
    if (await forgetIdleRevert(machine, { layout: view.layout, pointer }))
      task.warn('system-revert was removed from the host partition: there was nothing to go back to');
    await boot.writePointer(withTrial(pointer, filled.entry.id, tries));
  });
  await rm(fetchPlace(machine, view), { recursive: true, force: true });
  const reasons = [`${reference} lies in the slot ${slot}`];
  const asked = request.options.reboot ?? machine.settings.reboot;
  const choice = await planRestart(machine, {
    asked,
    inPlace: false,
    reasons,
    kernelVersion: filled.entry.kernelVersion,
  });
  for (const remark of choice.remarks) task.warn(remark);
  const { running } = view;
  return {
    choice,
    result: {
      kind: 'staged',
      ...(running && { from: { reference: running.reference, digest: running.digest } }),
      to: { reference, digest },
      slot,
      entry: filled.entry.id,
      fetched: { ...content.transferred },
      reboot: { method: choice.method, reasons },
      warnings: [...filled.report.warnings, ...choice.remarks],
    },
  };
}

/** Writes down on the boot partition which update goes on; what went wrong earlier is of no interest any more. */
export async function noteUpdate(
  { machine, view, request, reference, digest }: UpdateWork,
  boot: BootPartition,
  entry: string,
  failedUnits: string[],
): Promise<void> {
  if (view.failure !== undefined) await boot.writeFailure(undefined);
  await boot.writeUpdateNote({
    format: 1,
    kind: 'update',
    ...(request.order === undefined ? {} : { order: request.order }),
    entry,
    from: { image: view.running?.reference ?? 'unknown', digest: view.running?.digest ?? digest },
    to: { image: reference, digest },
    started: machine.clock.now(),
    failedUnits,
  });
}

/** Where an update puts what it fetched: on the host partition where there is one, else in the running root. */
export function fetchPlace({ root }: ThisMachine, { layout }: MachineView): string {
  const state = layout.host === undefined ? agentPaths.state : `${hostMounts.host}/data/imprint`;
  return join(root, state, 'update');
}

/** What `fetchUpdate` needs, for both ways. */
export function fetchRequest({ machine, view, base, source, request }: UpdateWork, task: UpdateWork['task']) {
  const rate = request.options.rate ?? machine.settings.rate;
  return {
    store: source.store,
    version: source.version,
    ...(base === undefined
      ? {}
      : { base: { digest: base.digest, manifestFile: base.manifestFile, root: machine.root } }),
    place: fetchPlace(machine, view),
    ...(rate === undefined ? {} : { rate }),
    task,
  };
}

/** The system that a version is for: the one of its image, where it is here; else what runs becomes it. */
function systemFor({ view, source }: Pick<UpdateWork, 'view' | 'source'>): string {
  const named = namedSystem(view.systems, source.version.record.image);
  return named?.system ?? systemOf(view.running);
}

/** Name of the slot that is filled. Errors: `slot-unfit`. */
export function slotFor({ view, source, request }: Pick<UpdateWork, 'view' | 'source' | 'request'>): string {
  const { layout, pointer, entries, systems, running } = view;
  const asked = request.options.slot;
  if (layout.layout === 'files') {
    if (asked === undefined || asked === 'file') return 'file';
    throw new ImprintError('slot-unfit', {
      slot: asked,
      problem: 'this machine boots image files; it has no partitions to fill',
    });
  }
  const choice = chooseSlot({
    ...{ slots: layout.slots, pointer, entries, systems, running: running?.slot, asked },
    ...(running === undefined ? {} : { system: systemFor({ view, source }) }),
  });
  if (choice.kind === 'slot') return choice.slot.name;
  throw new ImprintError('slot-unfit', { slot: choice.slot, problem: choice.problem });
}

/**
 * What the pointer says of the slot goes first, then its entries; of image files those that nothing needs. `digest`: of the version that comes. What waits to
 * be tried goes with it, unless it is to stay.
 */
export async function clearSlot(
  machine: ThisMachine,
  slot: string,
  digest: string,
  { trial = 'goes' }: { trial?: 'goes' | 'stays' } = {},
): Promise<void> {
  await using boot = await openBoot(machine);
  const view = await viewMachine(machine, boot);
  const { pointer, entries, running, layout } = view;
  const staying = entriesThatStay({ pointer, entries, running: running?.id }, digest);
  const going =
    layout.layout === 'files'
      ? entries.filter(({ id }) => !staying.includes(id))
      : entries.filter((entry) => entry.slot === slot && entry.id !== pointer.good && entry.id !== running?.id);
  const ids = [
    ...new Set([
      ...going.map(({ id }) => id),
      ...(pointer.trial === undefined || trial === 'stays' ? [] : [pointer.trial]),
    ]),
  ];
  if (ids.length > 0) {
    // Also where this record names none of them: the other copy must not either.
    await boot.writePointer(forgetting(pointer, ids) ?? { ...pointer, sequence: pointer.sequence + 1 });
  }
  for (const id of ids) await boot.removeEntry(id);
  if (layout.layout === 'files') await removeOldImages(machine, boot);
}

async function removeOldImages(machine: ThisMachine, boot: BootPartition): Promise<void> {
  const { entries } = await viewMachine(machine, boot);
  await removeUnreferencedImages(machine.processes, join(machine.root, hostMounts.host), imagesOf(entries));
}

function imagesOf(entries: MachineView['entries']): string[] {
  return entries.map(({ id }) => imageOf(entries, id)).filter((image) => image !== undefined);
}

export async function fill(
  work: UpdateWork,
  slot: string,
  content: UpdateContent,
  { system = systemFor(work), leaves = true }: { system?: string; leaves?: boolean } = {},
): Promise<FilledSlot> {
  const { machine, view, base, reference, request, task } = work;
  const { processes, clock, root } = machine;
  const { layout, running } = view;
  const stateDirectory = stateDirectoryOf(machine, layout);
  const known = base?.known;
  const object = await task.part('keep what makes this machine itself', () => keepMachineObject(machine, layout, base));
  const left = known === undefined || !leaves ? [] : await leftBehind(root, known, object);
  if (left.length > 0) {
    task.warn(
      `these stay in the slot that is left, for they are in no version and not carried (docs/slots.md): ${left.join(', ')}`,
    );
  }
  const fillRequest: FillRequest = {
    ...{ content, reference, layout, object, stateDirectory, processes, clock, task },
    image: await readImageContent(content.entries()),
    ...(system === '' ? {} : { system }),
    kernelOptions: machineKernelOptions(running?.kernelOptions ?? [], base?.record.source.kernelOptions),
    trialSeconds: trialSeconds(machine),
    ...(request.agent === undefined ? {} : { agent: request.agent }),
  };
  if (layout.layout !== 'files') return fillPartitionSlot({ ...fillRequest, slot });
  const image = running === undefined ? undefined : imageOf(view.entries, running.id);
  return fillFileSlot({
    ...fillRequest,
    host: join(root, hostMounts.host),
    ...(image === undefined ? {} : { running: image }),
    referenced: await imagesInUse(machine),
  });
}

async function imagesInUse(machine: ThisMachine): Promise<string[]> {
  await using boot = await openBoot(machine, { readOnly: true });
  return imagesOf((await viewMachine(machine, boot)).entries);
}
