import type { z } from 'zod';
import type { machineRevert, UpdateResult } from '../../contract/operations/updates.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import type { BootEntry, BootPointer } from '../../machine/boot-pointer.ts';
import { systemOf } from '../../machine/boot-systems.ts';
import { committed, withoutTrial, withTrial } from '../../machine/trial.ts';
import type { BootPartition } from '../../system/boot-partition.ts';
import { failedUnits } from './health-checks.ts';
import { bringToEntry, requireReachable } from './in-place/match-entry.ts';
import { planRestart, restartInto } from './restart-into.ts';
import { forgetRevertFile, isUnsettled, settleOpenBoot, showOnHost } from './settle-boot.ts';
import { type MachineView, openBoot, type ThisMachine, viewMachine } from './this-machine.ts';
import { lockUpdate } from './update-lock.ts';
import type { UpdateOutcome } from './update-outcome.ts';

export type RevertRequest = z.output<typeof machineRevert.input>;

/**
 * Goes back: to the version before, which was good once and boots without another trial; from a trial to the good one; or to any other that lies in a
 * slot, on trial. Undefined where `to` is in no slot: it must be fetched. Errors: `machine-unmanaged`, `update-running`, `nothing-before`,
 * `in-place-unfit`.
 */
export async function revertMachine(
  machine: ThisMachine,
  request: RevertRequest,
  task: Task,
): Promise<UpdateOutcome | undefined> {
  await using _lock = await lockUpdate('a revert');
  await using boot = await openBoot(machine);
  const seen = await viewMachine(machine, boot);
  const view = isUnsettled(seen) ? await settleOpenBoot(machine, boot) : seen;
  const { pointer, running } = view;
  const target = request.to === undefined ? entryBefore(view) : entryNamed(view, request.to);
  if (target === undefined) {
    if (request.to !== undefined) return undefined;
    throw new ImprintError('nothing-before', { machine: 'This machine' });
  }
  // Of the same root; another one was left as its entry wants it.
  if (target.slot === running?.slot && target.id !== running.id) requireReachable(machine.root, target);
  task.log(`back to ${target.reference}`);
  const onTrial = view.situation.kind === 'trial' || view.situation.kind === 'dropped';
  if (onTrial) await noteGivenUp(machine, boot, view);
  const next = nextPointer(view, target.id, request.options.tries ?? machine.settings.tries);
  // Else the next boot would go back once more, from there.
  if (await forgetRevertFile(machine, view)) task.log('system-revert is removed: this is what it asked for');
  const written = next === undefined ? pointer : await boot.writePointer(next);
  const runs = running?.id === target.id;
  if (runs) bringToEntry(machine.root, target);
  else await writeNote(machine, boot, view, target, request);
  const after = await viewMachine(machine, boot);
  if (written.trial === undefined) await showOnHost(machine, after);
  const reasons = runs ? [] : [`${target.reference} lies in the slot ${target.slot}`];
  const asked = request.options.reboot ?? machine.settings.reboot;
  const { kernelVersion } = target;
  const choice = await planRestart(machine, { asked: runs ? 'none' : asked, inPlace: false, reasons, kernelVersion });
  for (const remark of choice.remarks) task.warn(remark);
  const result: UpdateResult = {
    kind: runs ? (next === undefined ? 'current' : 'done') : 'staged',
    ...(running && { from: { reference: running.reference, digest: running.digest } }),
    to: { reference: target.reference, digest: target.digest },
    slot: target.slot,
    entry: target.id,
    reboot: { method: choice.method, reasons },
    warnings: choice.remarks,
  };
  return { result, restart: (tell) => restartInto(machine, target.id, choice.method, { signal: task.signal, tell }) };
}

/** What one goes back to: the good one of its system from a trial, or from what waits to be tried; else the one before it. */
export function entryBefore({ situation, pointer, entries, systems, running }: MachineView): BootEntry | undefined {
  const found = (id: string | undefined) => entries.find((entry) => entry.id === id);
  // Within the system that runs: another one is started, not gone back to.
  const own = systems.find(({ system }) => running !== undefined && system === systemOf(running)) ?? pointer;
  switch (situation.kind) {
    case 'trial':
    case 'dropped':
    case 'pending':
    case 'stray':
      return found(own.good);
    case 'beside':
      return found(pointer.trial === undefined ? own.previous : own.good);
    default:
      return found(own.previous);
  }
}

function entryNamed({ entries, pointer, systems }: MachineView, name: string): BootEntry | undefined {
  const digest = name.replace(/^.*@/, '');
  const version = name.replace(/:v(\d+)$/, ':$1');
  const fitting = entries.filter(
    ({ id, slot, reference, digest: its }) => id === name || slot === name || reference === version || its === digest,
  );
  // Of a version that boots by several kernels the one that is good now, else what was good before.
  const goods = [pointer.good, pointer.previous, ...systems.flatMap(({ good, previous }) => [good, previous])];
  const known = goods.map((good) => fitting.find(({ id }) => id === good));
  return known.find((entry) => entry !== undefined) ?? fitting.at(-1);
}

/**
 * Undefined: the pointer says it already. An entry that never was the good one has to prove itself, and so has one of a system that does not start by
 * itself: a trial is how it starts at all.
 */
function nextPointer({ pointer, situation }: MachineView, entry: string, tries: number): BootPointer | undefined {
  if (situation.kind === 'beside' && situation.entry === entry)
    return pointer.trial === undefined ? undefined : withoutTrial(pointer);
  if (entry === pointer.good) return pointer.trial === undefined ? undefined : withoutTrial(pointer);
  return entry === pointer.previous ? committed(pointer, entry) : withTrial(pointer, entry, tries);
}

async function noteGivenUp({ clock }: ThisMachine, boot: BootPartition, { pointer }: MachineView): Promise<void> {
  if (pointer.trial === undefined) return;
  const time = new Date(clock.now()).toISOString();
  await boot.writeFailure({ sequence: pointer.sequence, entry: pointer.trial, reason: 'somebody reverted it', time });
}

async function writeNote(
  { clock, processes }: ThisMachine,
  boot: BootPartition,
  { running, note }: MachineView,
  { id, reference, digest }: BootEntry,
  { order }: RevertRequest,
): Promise<void> {
  const whose = order ?? (note?.kind === 'revert' ? note.order : undefined);
  await boot.writeUpdateNote({
    format: 1,
    kind: 'revert',
    ...(whose === undefined ? {} : { order: whose }),
    entry: id,
    from: { image: running?.reference ?? 'unknown', digest: running?.digest ?? digest },
    to: { image: reference, digest },
    started: clock.now(),
    failedUnits: await failedUnits(processes),
  });
}
