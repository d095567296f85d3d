import { lstat, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { toImprintError } from '../../foundation/errors.ts';
import type { BootEntry, BootPointer } from '../../machine/boot-pointer.ts';
import { systemOf, withGood } from '../../machine/boot-systems.ts';
import { isImagerEntry } from '../../machine/imager-entry.ts';
import { hostMounts, hostPaths } from '../../machine/installed-layout.ts';
import { committed, withoutTrial } from '../../machine/trial.ts';
import { ifThere } from '../../store/directory-files.ts';
import type { BootPartition } from '../../system/boot-partition.ts';
import { checkpointFileSystem } from '../../system/checkpoint.ts';
import type { Processes } from '../../system/run.ts';
import { type HostView, writeHostView } from '../install/host-view.ts';
import { type MachineView, openBoot, type ThisMachine, viewMachine } from './this-machine.ts';

/** Tells what watches a trial (`boot/addition/trial.sh`) that it is over. */
const committedMark = '/run/imprint/committed';
const trialTimer = 'imprint-trial.timer';

/**
 * Does what a boot leaves to be done: writes down that a trial was given up and why, ends a revert that was asked for by hand, and has the
 * names on the host partition tell what is. A trial that runs is left for who proves it. Power may be cut at any moment: the next boot does the rest.
 * Returns the machine as it is then.
 */
export async function settleBoot(machine: ThisMachine): Promise<MachineView> {
  await using boot = await openBoot(machine);
  return await settleOpenBoot(machine, boot);
}

/** Whether a boot has left something to be done that must be done before anything else is decided. */
export function isUnsettled({ situation }: MachineView): boolean {
  return situation.kind === 'fell-back' || situation.kind === 'reverting';
}

/** As `settleBoot`, with the boot partition open. */
export async function settleOpenBoot(machine: ThisMachine, boot: BootPartition): Promise<MachineView> {
  const view = await viewMachine(machine, boot);
  switch (view.situation.kind) {
    case 'fell-back':
      await giveUp(machine, boot, view);
      break;
    case 'reverting':
      // The file first: until the record is written, GRUB's own note has it boot the same entry again.
      await forgetRevertFile(machine, view);
      await boot.writePointer(committed(view.pointer, view.situation.entry));
      break;
    case 'trial':
    case 'dropped':
      return view;
    default:
  }
  const settled = await viewMachine(machine, boot);
  await removeImagers(boot, settled);
  await endWatch(machine.processes);
  await giveUpDropped(machine, boot, settled);
  await forgetIdleRevert(machine, settled);
  await showOnHost(machine, settled, brokenOf(view));
  return settled;
}

/**
 * Makes `entry` the good one of its system, what was that the one before it, and forgets what went wrong earlier. Which system starts by itself is not
 * changed by that: of another one it is written down beside the pointer, first, so that a cut between has it proven once more.
 */
export async function commitEntry(machine: ThisMachine, boot: BootPartition, entry: string): Promise<MachineView> {
  const view = await viewMachine(machine, boot);
  const { pointer, systems, entries } = view;
  const system = systemOf(entries.find(({ id }) => id === entry));
  if (systems.some((each) => each.standard && each.system === system))
    await boot.writePointer(committed(pointer, entry));
  else {
    await boot.writeSystemRecords(withGood(systems, system, entry));
    if (pointer.trial !== undefined) await boot.writePointer(withoutTrial(pointer));
  }
  if (view.failure !== undefined) await boot.writeFailure(undefined);
  const now = await viewMachine(machine, boot);
  await endWatch(machine.processes);
  await showOnHost(machine, now);
  return now;
}

/** Nothing watches a trial any longer that is over. */
async function endWatch(processes: Processes): Promise<void> {
  await writeFile(committedMark, '').catch(() => {});
  await processes.run('systemctl', ['stop', trialTimer], { timeout: 60_000 }).catch(() => {});
}

async function giveUp({ clock }: ThisMachine, boot: BootPartition, view: MachineView): Promise<void> {
  const { pointer, failure } = view;
  const { trial = '' } = pointer;
  // The imager says nothing to the machine that it was started from.
  if (isImagerEntry(trial)) return void (await boot.writePointer(withoutTrial(pointer)));
  if (failure?.entry !== trial || failure.sequence !== pointer.sequence) {
    const boots = pointer.tries === 1 ? 'once' : `${pointer.tries} times`;
    const reason = `it was started ${boots} and never said that it was well: it hung, panicked or was switched off`;
    const time = new Date(clock.now()).toISOString();
    await boot.writeFailure({ sequence: pointer.sequence, entry: trial, reason, time });
  }
  await boot.writePointer(withoutTrial(pointer));
}

/** An imager that was started, or is not to be any more, only takes up room. */
async function removeImagers(boot: BootPartition, { entries, pointer }: MachineView): Promise<void> {
  for (const { id } of entries) if (isImagerEntry(id) && id !== pointer.trial) await boot.removeEntry(id);
}

/**
 * A hand-dropped image that used up its tries keeps its content, under the name that says so. The next one has tries of its own, also where GRUB has never
 * seen that none was there.
 */
async function giveUpDropped(
  { root, processes }: ThisMachine,
  boot: BootPartition,
  { layout, tries }: MachineView,
): Promise<void> {
  if (layout.host === undefined || tries?.newLeft === undefined) return;
  const directory = join(root, hostMounts.host);
  const dropped = join(directory, hostPaths.dropped);
  try {
    if (tries.newLeft === 0) await ifThere(rename(dropped, join(directory, hostPaths.broken)));
    else if ((await ifThere(lstat(dropped))) !== undefined) return;
  } catch (error) {
    throw toImprintError(error);
  }
  await checkpointFileSystem(processes, directory);
  const { newLeft: _, ...others } = tries;
  await boot.writeTries(others);
}

/**
 * Takes away `system-revert`, also from GRUB's sight: when the record moves on, it would go back again, from there. Returns whether it was there. Other
 * layouts: nothing.
 */
export async function forgetRevertFile(
  { root, processes }: ThisMachine,
  { layout }: Pick<MachineView, 'layout'>,
): Promise<boolean> {
  if (layout.host === undefined) return false;
  const directory = join(root, hostMounts.host);
  const file = join(directory, hostPaths.revert);
  try {
    if ((await ifThere(lstat(file))) === undefined) return false;
    await rm(file, { recursive: true, force: true });
  } catch (error) {
    throw toImprintError(error);
  }
  await checkpointFileSystem(processes, directory);
  return true;
}

/** With nothing to go back to, `system-revert` would wait, and take back some later version that is well. It asks for the next boot, and for no other. */
export async function forgetIdleRevert(
  machine: ThisMachine,
  view: Pick<MachineView, 'layout' | 'pointer'>,
): Promise<boolean> {
  return view.pointer.previous === undefined && (await forgetRevertFile(machine, view));
}

/** The image of a trial that was given up. */
function brokenOf({ situation, entries }: MachineView): string | undefined {
  return situation.kind === 'fell-back' ? imageOf(entries, situation.trial) : undefined;
}

/** The names that people know on the host partition, and all of it where GRUB reads it. Other layouts: nothing. */
export async function showOnHost(
  { root, processes }: ThisMachine,
  { layout, pointer, entries }: MachineView,
  broken?: string,
): Promise<void> {
  if (layout.host === undefined) return;
  const host = join(root, hostMounts.host);
  const view = hostView(pointer, entries, broken);
  if (view === undefined) return;
  await writeHostView(host, view);
  await checkpointFileSystem(processes, host);
}

function hostView(pointer: BootPointer, entries: readonly BootEntry[], broken?: string): HostView | undefined {
  const current = imageOf(entries, pointer.good);
  const old = imageOf(entries, pointer.previous);
  if (current === undefined) return undefined;
  return { current, ...(old === undefined ? {} : { old }), ...(broken === undefined ? {} : { broken }) };
}

/** `images/HEX.img` of an entry. */
export function imageOf(entries: readonly BootEntry[], id: string | undefined): string | undefined {
  const entry = entries.find((each) => each.id === id);
  return entry?.kernelOptions.find((option) => option.startsWith('imprint.image='))?.slice('imprint.image='.length);
}
