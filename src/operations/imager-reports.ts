import type { ImagerEvents, ImagerOutcome } from '../contract/imager-protocol.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { TaskEvent } from '../foundation/task.ts';
import { type MachineRecord, nextMachine } from '../machine/machine-state.ts';
import { type Changing, changing } from './changing.ts';
import type { Context } from './context.ts';
import { endTask } from './end-task.ts';
import { forgetObjectKey } from './server-objects.ts';
import { forgetPassphrase } from './server-passphrases.ts';

/**
 * Takes in what an imager says of its install. Only the boot of the imager that has the order is believed; events that
 * came before are dropped. Errors: `task-not-found`, `order-stale`.
 */
export async function takeEvents(context: Context, report: ImagerEvents): Promise<void> {
  await changing(context, async (change) => {
    const machine = await reporter(change, report.order);
    if (!isReporter(machine, report)) throw new ImprintError('order-stale', { order: report.order });
    await change.addEvents(report.order, report.session, report.events as TaskEvent[]);
    await change.save(machine.name, nextMachine(machine, { kind: 'heard', time: change.time }));
  });
}

/** Takes in how an install ended, or that the installed system came up. May come again. Errors: as `takeEvents`. */
export async function takeOutcome(context: Context, report: ImagerOutcome): Promise<void> {
  const { outcome, order: id } = report;
  const { kind } = outcome;
  const installed = await changing(context, async (change): Promise<string | undefined> => {
    const { time } = change;
    const machine = await reporter(change, id);
    if (kind === 'healthy') {
      if (machine.installed?.order !== id) throw new ImprintError('order-stale', { order: id });
      await change.save(machine.name, nextMachine(machine, { kind, time }));
      return undefined;
    }
    if (kind === 'installed' && machine.installed?.order === id) return undefined;
    if (!isReporter(machine, report)) throw new ImprintError('order-stale', { order: id });
    if (machine.order?.phase !== 'running') return undefined;
    if (kind === 'installed' && outcome.digest !== machine.order.digest) {
      const problem = `it reports ${outcome.digest} where ${machine.order.digest} was ordered`;
      throw new ImprintError('input-invalid', { field: 'digest', problem });
    }
    if (kind === 'installed') {
      await endTask(change, id);
      await change.save(machine.name, nextMachine(machine, { kind, time }));
      return machine.name;
    }
    await endTask(change, id, outcome.error);
    await change.save(machine.name, nextMachine(machine, { kind, error: outcome.error, time }));
    return undefined;
  });
  if (installed !== undefined) {
    await forgetObjectKey(context, installed);
    await forgetPassphrase(context.paths, installed);
  }
  context.log.info({ order: id, outcome: kind }, 'an imager reported an outcome');
}

async function reporter(change: Changing, order: string): Promise<MachineRecord> {
  const task = await change.tasks.get(order);
  const machine = task?.machine === undefined ? undefined : await change.machines.byName(task.machine);
  if (!machine) throw new ImprintError('task-not-found', { task: order });
  return machine;
}

function isReporter(machine: MachineRecord, { session, order }: { session: string; order: string }): boolean {
  const { order: standing, installed } = machine;
  if (standing?.id === order) return standing.session === session;
  return installed?.order === order && installed.session === session;
}
