import type { ImagerHello, ImagerOrder, InstallOrder, SignedAnswer } from '../contract/imager-protocol.ts';
import type { Script } from '../contract/scripts.ts';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import { hasSystem, type MachineRecord, nextMachine } from '../machine/machine-state.ts';
import { scriptReader } from './change-scripts.ts';
import { type Changing, changing } from './changing.ts';
import type { Context } from './context.ts';
import { endTask } from './end-task.ts';
import { liveFramesOf } from './live-frames.ts';
import { nextMachineChange, signAnswer } from './long-poll.ts';
import { recogniseMachine } from './recognise-machine.ts';
import { renewOrder } from './renew-order.ts';
import { type InstallableVersion, resolveInstallable } from './resolve-installable.ts';
import { objectForInstall } from './server-objects.ts';
import { sealedPassphrase } from './server-passphrases.ts';
import { scriptsFor } from './server-scripts.ts';

/** What the entry knows about the question. */
export interface HelloCircumstances {
  /** URL of the store as the machine sees it. */
  store: string;
  /** Aborted when the machine hangs up, or the server stops. */
  signal: AbortSignal;
}

type Order = ImagerOrder['order'];

/**
 * Answers a machine's imager: what it is to do, signed. Where there is nothing to do, the answer waits for an order, at
 * most as long as was asked for.
 */
export async function answerHello(
  context: Context,
  hello: ImagerHello,
  circumstances: HelloCircumstances,
): Promise<SignedAnswer> {
  const until = context.clock.now() + hello.waitSeconds * 1000;
  for (;;) {
    // Listening begins before the look, so that no order slips in between.
    const change = nextMachineChange(context, circumstances.signal, isOrdered);
    try {
      const order = await decide(context, hello, circumstances);
      const left = until - context.clock.now();
      if (order.kind !== 'wait' || left <= 0 || circumstances.signal.aborted)
        return await signAnswer(context, {
          nonce: hello.nonce,
          time: context.clock.now(),
          order,
        } satisfies ImagerOrder);
      await change.within(left, order.name);
    } finally {
      change.stop();
    }
  }
}

function isOrdered({ order }: MachineRecord): boolean {
  return order?.phase === 'waiting';
}

async function decide(context: Context, hello: ImagerHello, { store }: HelloCircumstances): Promise<Order> {
  const recognition = await changing(context, async (change) => {
    const recognised = await recogniseMachine(change, hello);
    if (recognised.kind !== 'one') return recognised;
    return { ...recognised, machine: await noteRefusal(change, recognised.machine, hello) };
  });
  if (recognition.kind === 'several') {
    const names = recognition.names.join(' and ');
    context.log.warn({ machines: recognition.names }, 'one machine has the MAC addresses of several');
    return { kind: 'wait', name: names, message: `its network cards belong to ${names}: nothing is done to it` };
  }
  const { machine } = recognition;
  if (machine.order && machine.approved && wantsInstall(machine, hello.session)) {
    return takeOrder(context, machine, hello, store);
  }
  return rest(machine, hello.session);
}

/** An imager that cannot act on our answers (it carries another key, say) will not carry out its order. */
async function noteRefusal(change: Changing, machine: MachineRecord, hello: ImagerHello): Promise<MachineRecord> {
  const { order } = machine;
  const { problem, session } = hello;
  if (!problem || !order || order.phase === 'refused' || order.phase === 'failed') return machine;
  if (order.phase === 'running' && order.session !== session) return machine;
  const taken = nextMachine(machine, { kind: 'order-taken', session, time: change.time });
  const refused = nextMachine(taken, { kind: 'refused', error: problem, time: change.time });
  await endTask(change, order.id, problem);
  await change.save(machine.name, refused);
  return refused;
}

/** A refused or broken install is not tried again by the same boot of the imager, lest it be tried for ever. */
function wantsInstall({ order }: MachineRecord, session: string): boolean {
  return order?.phase === 'waiting' || order?.phase === 'running' || order?.session !== session;
}

async function takeOrder(context: Context, seen: MachineRecord, hello: ImagerHello, store: string): Promise<Order> {
  const { session } = hello;
  const { name } = seen;
  const version = await resolveOrdered(context, seen);
  const object = await objectForInstall(context, seen);
  const passphrase = await sealedPassphrase(context.paths, name, hello.seal);
  const scripts = version instanceof Error ? [] : await findOrdered(context, seen, version, hello);
  const isLive = seen.options.live === true && !(version instanceof Error);
  const frames = isLive ? await liveFramesOf(context.paths, version.digest) : [];
  return changing(context, async (change) => {
    const found = await change.machines.byName(name);
    if (!found?.order || found.order.id !== seen.order?.id) {
      return { kind: 'wait', name, message: 'its order is being changed' };
    }
    const renewed = await renewOrder(change, found);
    const id = renewed.order?.id ?? found.order.id;
    if (version instanceof Error) return refuse(change, renewed, id, session, version);
    if (scripts instanceof Error) return refuse(change, renewed, id, session, scripts);
    if (found.order.phase === 'running' && found.order.session !== session) {
      const message = `${name} has started again in the middle of its install, which ${isLive ? 'goes on' : 'begins anew'}`;
      await change.say(id, { kind: 'warning', message });
    }
    const machine = nextMachine(renewed, { kind: 'order-taken', session, time: change.time });
    await change.tasks.setState(id, 'running');
    change.tell({ kind: 'task', id });
    await change.save(name, machine);
    const order = {
      ...installOrderOf(machine, id, version, store),
      ...(scripts.length > 0 && { scripts }),
      ...(passphrase && { passphrase }),
      ...(frames.length > 0 && { frames }),
    };
    return object === undefined ? order : { ...order, object: { number: object.number, sha256: object.sha256 } };
  });
}

async function refuse(
  change: Changing,
  machine: MachineRecord,
  id: string,
  session: string,
  error: ImprintError,
): Promise<Order> {
  const taken = nextMachine(machine, { kind: 'order-taken', session, time: change.time });
  await endTask(change, id, error.toValue());
  await change.save(machine.name, nextMachine(taken, { kind: 'refused', error: error.toValue(), time: change.time }));
  return { kind: 'wait', name: machine.name, message: error.message };
}

/** The scripts that the machine is to run, as they are now; the error where one cannot be run, or its imager runs none. */
async function findOrdered(
  { paths }: Context,
  machine: MachineRecord,
  { image }: InstallableVersion,
  hello: ImagerHello,
): Promise<Script[] | ImprintError> {
  try {
    const scripts = await scriptsFor(paths, scriptReader(machine, image));
    if (hello.scripts || scripts.every(({ text }) => text === '')) return scripts;
    const problem = 'its imager was made before it could run any';
    const hint = 'Make it again: imprint media netboot; then whatever medium it came from.';
    return new ImprintError('scripts-unfit', { machine: machine.name, problem, hint });
  } catch (thrown) {
    return toImprintError(thrown);
  }
}

/** The ordered version as it is in the store now; the error where it is gone, or is no longer what was ordered. */
async function resolveOrdered(context: Context, { order }: MachineRecord): Promise<InstallableVersion | ImprintError> {
  if (!order) return toImprintError(new Error('there is no order'));
  try {
    const version = await resolveInstallable(context, order.image);
    return version.digest === order.digest ? version : await resolveInstallable(context, order.digest);
  } catch (thrown) {
    return toImprintError(thrown);
  }
}

function installOrderOf(machine: MachineRecord, id: string, version: InstallableVersion, store: string): InstallOrder {
  return {
    kind: 'install',
    id,
    name: machine.name,
    ...(machine.address !== undefined && { address: machine.address }),
    image: version.image,
    digest: version.digest,
    record: version.record,
    recordSignature: version.recordSignature,
    store,
    options: machine.options,
    ...(machine.groups !== undefined && { groups: machine.groups }),
  };
}

function rest(machine: MachineRecord, session: string): Order {
  const { name } = machine;
  if (!machine.approved) {
    return { kind: 'wait', name, message: 'discovered; waiting for a name: imprint machine approve' };
  }
  if (machine.order) {
    return {
      kind: 'wait',
      name,
      message: `${machine.problem?.message ?? 'refused'} ${machine.problem?.hint ?? ''}`.trim(),
    };
  }
  if (hasSystem(machine.state) && machine.installed?.session !== session) {
    return { kind: 'boot-disk', name, message: `${machine.installed?.image ?? 'its system'} is on its disk` };
  }
  return { kind: 'wait', name, message: 'waiting for an order: imprint install' };
}
