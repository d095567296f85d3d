import type { AgentEvents, AgentOutcome } from '../contract/agent-protocol.ts';
import type { Digest } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { TaskEvent } from '../foundation/task.ts';
import { type MachineRecord, nextMachine } from '../machine/machine-state.ts';
import { type Changing, changing } from './changing.ts';
import type { Context } from './context.ts';
import { endTask } from './end-task.ts';

/**
 * Takes in what an agent says of its order. Only the start of the agent that has the order is believed; events that came before are
 * dropped. Errors: `task-not-found`, `order-stale`.
 */
export async function takeAgentEvents(context: Context, report: AgentEvents): Promise<void> {
  await changing(context, async (change) => {
    const machine = await reporter(change, report);
    await change.addEvents(report.order, report.session, report.events as TaskEvent[]);
    await change.save(machine.name, nextMachine(machine, { kind: 'heard', time: change.time }));
  });
}

/** Takes in how an order ended, or that the machine restarts to prove it. Errors: as `takeAgentEvents`. */
export async function takeAgentOutcome(context: Context, report: AgentOutcome): Promise<void> {
  const { outcome, order } = report;
  await changing(context, async (change) => {
    const { time } = change;
    const machine = await reporter(change, report);
    switch (outcome.kind) {
      case 'staged': {
        await change.say(order, {
          kind: 'log',
          message: `${machine.update?.image ?? 'it'} is written; it restarts on trial`,
        });
        return change.save(machine.name, nextMachine(machine, { kind: 'staged', time }));
      }
      case 'committed': {
        const { image, digest } = outcome.version;
        await endTask(change, order);
        const running = { image, digest: digest as Digest };
        return change.save(machine.name, nextMachine(machine, { kind: 'update-ended', time, running }));
      }
      default: {
        const { error } = outcome;
        await endTask(change, order, error);
        const reverted = outcome.kind === 'fell-back';
        return change.save(machine.name, nextMachine(machine, { kind: 'update-ended', time, error, reverted }));
      }
    }
  });
  context.log.info({ order, outcome: outcome.kind }, 'an agent reported an outcome');
}

async function reporter(
  change: Changing,
  { order, session }: { order: string; session: string },
): Promise<MachineRecord> {
  const task = await change.tasks.get(order);
  const machine = task?.machine === undefined ? undefined : await change.machines.byName(task.machine);
  if (!machine) throw new ImprintError('task-not-found', { task: order });
  if (machine.update?.id !== order || machine.update.session !== session) {
    throw new ImprintError('order-stale', { order });
  }
  return machine;
}
