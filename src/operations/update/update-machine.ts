import type { UpdateResult } from '../../contract/operations/updates.ts';
import type { UpdatePlan } from '../../contract/update.ts';
import type { Digest } from '../../foundation/brand.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { machineClock } from './machine-clock.ts';
import { planUpdate } from './plan-update.ts';
import { restartInto } from './restart-into.ts';
import { isUnsettled, settleBoot } from './settle-boot.ts';
import { readSlotVersion } from './slot-version.ts';
import { lookAtMachine, type MachineView, type ThisMachine } from './this-machine.ts';
import { updateInPlace } from './update-in-place.ts';
import { lockUpdate } from './update-lock.ts';
import type { UpdateOutcome } from './update-outcome.ts';
import { updateSlot } from './update-slot.ts';
import { openUpdateSource } from './update-source.ts';
import { isInPlace, type UpdateMachineRequest, type UpdateWork } from './update-work.ts';

/**
 * Brings this machine to a version: resolves and checks it, fetches what is missing, fills a slot or changes the running root, and has it boot on trial.
 * Whatever fails before the pointer is written, the machine is as it was.
 *
 * Errors: `machine-unmanaged`, `update-running`, `trial-running`, those of `openUpdateSource`, `fetchUpdate`, `fillPartitionSlot`, `fillFileSlot`,
 * `planInPlace`, and of the boot partition.
 */
export async function updateMachine(
  machine: ThisMachine,
  request: UpdateMachineRequest,
  task: Task,
): Promise<UpdateOutcome> {
  await using _lock = await lockUpdate('an update');
  await using work = await beginUpdate(machine, request, task);
  const { view, reference, digest } = work;
  const { running } = view;
  if (running !== undefined && running.digest === digest && view.pointer.trial === undefined) {
    task.log(`${reference} runs already`);
    return { result: currentResult(work), restart: async () => {} };
  }
  const done = isInPlace(work) ? await updateInPlace(work) : await updateSlot(work);
  return {
    result: done.result,
    restart: (tell) => restartInto(machine, done.result.entry, done.choice.method, { signal: task.signal, tell }),
  };
}

/** What `updateMachine` would do; nothing is changed. */
export async function planMachineUpdate(
  machine: ThisMachine,
  request: UpdateMachineRequest,
  task: Task,
): Promise<UpdatePlan> {
  await using work = await beginUpdate(machine, { ...request, dryRun: true }, task);
  return await planUpdate(work);
}

/** Opens the store and looks at the machine, for whatever puts a version somewhere. */
export async function beginUpdate(
  machine: ThisMachine,
  request: UpdateMachineRequest,
  task: Task,
): Promise<UpdateWork & AsyncDisposable> {
  const seen = await lookAtMachine(machine);
  const view = request.dryRun !== true && isUnsettled(seen) ? await settleBoot(machine) : seen;
  if (request.dryRun !== true) refuseOnTrial(view);
  const { root, settings } = machine;
  const base = await readSlotVersion(root);
  const clock = await machineClock(machine.clock, root, base?.record.created);
  const store =
    request.store ?? (settings.server === undefined ? undefined : `${settings.server.replace(/\/+$/, '')}/store`);
  const source = await task.part('look for the version', () =>
    openUpdateSource({
      asked: request.image,
      image: base?.record.image ?? view.running?.reference.split(':')[0],
      store,
      root,
      trust: request.trust,
      clock,
      signal: task.signal,
      warn: (message) => task.warn(message),
    }),
  );
  const { record } = source.version;
  const reference = `${record.image}:${record.number}`;
  const digest = record.digest as Digest;
  return {
    ...{ machine, view, base, source, reference, digest, request, task },
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}

/** What is not proven is no place to start from: the last good version would be lost. */
function refuseOnTrial({ situation, running }: MachineView): void {
  if (situation.kind === 'trial') {
    throw new ImprintError('trial-running', { reference: running?.reference ?? situation.entry });
  }
  if (situation.kind === 'dropped')
    throw new ImprintError('trial-running', { reference: 'The image file that was dropped' });
}

function currentResult({ view, reference, digest }: UpdateWork): UpdateResult {
  const { running } = view;
  return {
    kind: 'current',
    to: { reference, digest },
    slot: running?.slot ?? '',
    entry: running?.id ?? '',
    reboot: { method: 'none', reasons: [] },
    warnings: [],
  };
}
