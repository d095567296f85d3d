import type { AgentHello, AgentOrder } from '../contract/agent-protocol.ts';
import type { SignedAnswer } from '../contract/imager-protocol.ts';
import { ImprintError } from '../foundation/errors.ts';
import { type MachineRecord, type MachineUpdate, nextMachine } from '../machine/machine-state.ts';
import type { HelloCircumstances } from './answer-hello.ts';
import { type Changing, changing } from './changing.ts';
import type { Context } from './context.ts';
import { endTask } from './end-task.ts';
import { nextMachineChange, signAnswer } from './long-poll.ts';
import { recogniseMachine } from './recognise-machine.ts';
import { objectWish } from './server-objects.ts';

type Order = AgentOrder['order'];

/**
 * Answers the agent of a machine: what it is to do, signed; takes in how the machine is. Where there is nothing to do, the answer waits for
 * an order, at most as long as was asked for.
 */
export async function answerAgent(
  context: Context,
  hello: AgentHello,
  circumstances: HelloCircumstances,
): Promise<SignedAnswer> {
  const until = context.clock.now() + hello.waitSeconds * 1000;
  for (;;) {
    const change = nextMachineChange(context, circumstances.signal, ({ update }) => update?.phase === 'waiting');
    try {
      const order = await decide(context, hello, circumstances);
      const time = context.clock.now();
      const left = until - time;
      if (order.kind !== 'wait' || left <= 0 || circumstances.signal.aborted) {
        const machine = await (await context.database()).machines.byName(order.name);
        const object = await objectWish(context, machine);
        const answer = { nonce: hello.nonce, time, rules: machine?.rules ?? {}, ...(object && { object }), order };
        return await signAnswer(context, answer);
      }
      await change.within(left, order.name);
    } finally {
      change.stop();
    }
  }
}

async function decide(context: Context, hello: AgentHello, { store }: HelloCircumstances): Promise<Order> {
  return changing(context, async (change): Promise<Order> => {
    const recognition = await recogniseMachine(change, hello);
    if (recognition.kind === 'several') {
      const names = recognition.names.join(' and ');
      return { kind: 'wait', name: names, message: `its network cards belong to ${names}: nothing is done to it` };
    }
    const { time } = change;
    const machine = nextMachine(recognition.machine, { kind: 'reported', report: hello.report, time });
    await change.save(machine.name, machine);
    const { update, name } = machine;
    if (!update) return { kind: 'wait', name, message: 'nothing is ordered' };
    if (update.phase === 'waiting' && (update.notBefore ?? 0) > time) {
      return { kind: 'wait', name, message: `${update.image} is ordered for later` };
    }
    // An agent that goes on with the order has it already; one that started anew gets it again.
    if (hello.order === update.id || (update.session === hello.session && update.phase !== 'waiting')) {
      await change.save(name, taken(machine, hello.session, time));
      return { kind: 'wait', name, message: `${update.image} is on its way` };
    }
    const atRest = hello.report.situation === 'settled' || hello.report.situation === 'beside';
    if (update.phase === 'trial' && atRest) return settle(change, machine, update);
    if (update.phase === 'trial') {
      await change.save(name, taken(machine, hello.session, time));
      return { kind: 'wait', name, message: `${update.image} is on trial` };
    }
    if (update.phase === 'running') {
      const message = `${name} has started again in the middle of it, and goes on`;
      await change.say(update.id, { kind: 'warning', message });
    }
    await change.tasks.setState(update.id, 'running');
    change.tell({ kind: 'task', id: update.id });
    await change.save(name, taken(machine, hello.session, time));
    return orderOf(update, name, store);
  });
}

/** The agent knows nothing of the order that was on trial, and nothing is on trial any more: what runs says how it ended. */
async function settle(change: Changing, machine: MachineRecord, update: MachineUpdate): Promise<Order> {
  const { name, agent } = machine;
  const arrived = agent?.running?.digest === update.digest;
  const reason = agent?.failure?.reason ?? 'the version before runs, and nothing tells why';
  const error = arrived ? undefined : new ImprintError('trial-failed', { reference: update.image, reason }).toValue();
  await endTask(change, update.id, error);
  const ended = { kind: 'update-ended', time: change.time, ...(error && { error, reverted: true }) } as const;
  await change.save(name, nextMachine(machine, ended));
  return { kind: 'wait', name, message: 'nothing is ordered' };
}

function taken(machine: MachineRecord, session: string, time: number): MachineRecord {
  return nextMachine(machine, { kind: 'update-taken', session, time });
}

function orderOf(update: MachineUpdate, name: string, store: string): Order {
  const { id, image, digest, options } = update;
  if (update.kind === 'update') return { kind: 'update', id, name, image, digest, store, options };
  return { kind: 'revert', id, name, to: { image, digest }, store, options };
}
