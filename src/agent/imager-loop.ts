import type { ImagerOrder, InstallOrder } from '../contract/imager-protocol.ts';
import type { MachineFacts } from '../contract/machine.ts';
import type { Clock } from '../foundation/clock.ts';
import { type ErrorValue, toImprintError } from '../foundation/errors.ts';
import { Task } from '../foundation/task.ts';
import type { FoundLive } from '../operations/live/find-live.ts';
import type { Power } from '../system/power.ts';
import type { ConsoleScreen } from './console-screen.ts';
import { EventSpool } from './event-spool.ts';
import { carryOut, type Installer, type OrderResult } from './install-order.ts';
import type { AnsweringOrders } from './live-control.ts';
import { carryOnLive, goOnOrdered, orderOfNote } from './live-order.ts';
import { MoveOrders } from './move-orders.ts';
import type { ServerClient } from './server-client.ts';
import { WatchedMove } from './watched-move.ts';

/** The imager: what it is made of. */
export interface Imager {
  readonly server: ServerClient;
  readonly installer: Installer;
  readonly screen: ConsoleScreen;
  readonly power: Power;
  readonly clock: Clock;
  readFacts(): Promise<MachineFacts>;
  /** Called with each verified answer's time: a bare machine's clock may be years off. */
  setTime?(time: number): Promise<void>;
  /** The fixed address that this machine was given, which the installed system is to have, too. Throws where it fits no card. */
  network?(facts: MachineFacts): Installer['network'];
  /** Called before an order is begun. From then on the machine must not restart by itself into the system that it had. */
  ordered?(): Promise<void>;
  /** The move onto a disk that an earlier start was in the middle of. */
  findLive?(facts: MachineFacts): Promise<FoundLive | undefined>;
  /** Gets the address that the machine is to have, whose system goes on with it; whether it has it then. */
  takeAddress?(address: string): Promise<boolean>;
  /** Has somebody in the system that is started see what goes on. */
  serveOrders?(orders: AnsweringOrders): Promise<void>;
  /** Ends the loop. */
  readonly signal: AbortSignal;
}

/** Seconds that one question waits for an order. */
const longPoll = 50;
const slowest = 15_000;

/** Asks the server what to do and does it, until the machine restarts or the signal ends it. Rejects only when aborted. */
export async function runImager(imager: Imager): Promise<void> {
  let introduced = false;
  let waitSeconds = 0;
  let problem: ErrorValue | undefined;
  let found: FoundLive | undefined;
  for (;;) {
    imager.signal.throwIfAborted();
    const facts = await readFactsPatiently(imager);
    if (!introduced) {
      imager.screen.machine(facts, imager.server.url);
      found = await imager.findLive?.(facts);
    }
    introduced = true;
    const asked = imager.clock.now();
    const answer = await ask(imager, facts, waitSeconds, problem, found && liveSilence);
    const going = found && orderGoingOn(found, answer);
    if (found !== undefined && going !== undefined) {
      if (await install(imager, going, facts, found)) return;
      found = undefined;
      continue;
    }
    // The server wants something else there: what is written down on the disk counts no more.
    found = undefined;
    if (answer.kind === 'silent') continue;
    if (answer.kind === 'error') {
      problem = answer.error;
      continue;
    }
    problem = undefined;
    await imager.setTime?.(answer.order.time);
    const { order } = answer.order;
    if (order.kind === 'install') {
      await imager.ordered?.();
      if (await install(imager, order, facts)) return;
      waitSeconds = 0;
    } else if (order.kind === 'boot-disk' && !imager.installer.live?.handedOver) {
      imager.screen.status(`${order.name}: ${order.message}; starting it`);
      await imager.power.reboot();
      await imager.clock.sleep(slowest, imager.signal);
    } else {
      imager.screen.status(`${order.name}: ${order.message}`);
      // A server that does not wait as it was asked to must not be asked without end.
      if (waitSeconds > 0 && imager.clock.now() - asked < 2000) await imager.clock.sleep(2000, imager.signal);
      waitSeconds = longPoll;
    }
  }
}

async function readFactsPatiently({ readFacts, screen, clock, signal }: Imager): Promise<MachineFacts> {
  for (;;) {
    try {
      return await readFacts();
    } catch (thrown) {
      screen.failure('THIS MACHINE COULD NOT BE LOOKED AT', toImprintError(thrown).toValue());
      await clock.sleep(slowest, signal);
    }
  }
}

type Answer = { kind: 'order'; order: ImagerOrder } | { kind: 'error'; error: ErrorValue } | { kind: 'silent' };

/** Milliseconds that a machine with a system on its disk waits for a server that may want another one there. */
const liveSilence = 20_000;

/** A move is gone on with unless the server wants something else on the disk; undefined: it does. */
function orderGoingOn(found: FoundLive, answer: Answer): InstallOrder | undefined {
  if (answer.kind !== 'order' || answer.order.order.kind !== 'install') return orderOfNote(found);
  const { order } = answer.order;
  return order.options.live && order.digest === found.note.digest ? order : undefined;
}

/** Asks until there is an answer; one that cannot be trusted is an `error`. */
async function ask(
  { server, screen, clock, signal, installer }: Imager,
  facts: MachineFacts,
  waitSeconds: number,
  problem: ErrorValue | undefined,
  patience = Number.POSITIVE_INFINITY,
): Promise<Answer> {
  let pause = 1000;
  const asked = clock.now();
  for (let told = ''; ; ) {
    try {
      const { session } = installer;
      const order = await server.hello(
        {
          ...{ session, facts, waitSeconds, scripts: true as const },
          ...(installer.secrets && { seal: installer.secrets.publicKey }),
          ...(problem && { problem }),
        },
        signal,
      );
      return { kind: 'order', order };
    } catch (thrown) {
      signal.throwIfAborted();
      const error = toImprintError(thrown);
      if (error.code === 'signature-wrong') {
        // The first time the server hears of it at once, with the next question.
        if (problem === undefined) screen.failure('THE SERVER IS NOT TRUSTED: NOTHING IS DONE', error.toValue());
        else await clock.sleep(slowest, signal);
        return { kind: 'error', error: error.toValue() };
      }
      if (told !== error.message) screen.line(`   ${error.message}`);
      told = error.message;
      screen.status(`${server.url} does not answer, trying again`);
      if (clock.now() - asked > patience) return { kind: 'silent' };
      await clock.sleep(pause, signal);
      pause = Math.min(pause * 2, slowest);
    }
  }
}

/** Whether this was the last thing to do here: the system that was ordered runs already. */
async function install(imager: Imager, order: InstallOrder, facts: MachineFacts, found?: FoundLive): Promise<boolean> {
  const { screen, server, clock, installer, power } = imager;
  screen.status(`${order.name}: installing ${order.image}`);
  const runs = installer.live?.handedOver === true;
  if (
    !runs &&
    order.options.live &&
    order.address !== undefined &&
    (await imager.takeAddress?.(order.address)) === false
  )
    screen.line(`   The machine has not got the address ${order.address}; it starts with the one that it has.`);
  // Ends when the server takes the order back, too.
  const stop = new AbortController();
  const signal = AbortSignal.any([imager.signal, stop.signal]);
  const report = { session: installer.session, order: order.id };
  const spool = new EventSpool({
    clock,
    send: async (events) => {
      const reception = await server.events({ ...report, events }, imager.signal);
      // A system that runs is not taken back.
      if (reception === 'stale' && found === undefined && !installer.live?.handedOver) stop.abort();
    },
  });
  const watched = order.options.live ? await watch(imager, order) : undefined;
  const ticking = setInterval(() => screen.tick(), 1000);
  const result = await withNetwork(imager, facts, (network) =>
    begin(imager, { order, facts, found, ...(network && { network }) }, (work) =>
      Task.run(
        `install ${order.image} on ${order.name}`,
        (event) => {
          spool.push(event);
          screen.event(event);
          watched?.push(event);
        },
        work,
        { id: order.id, signal, progressInterval: 250, clock },
      ),
    ),
  );
  clearInterval(ticking);
  watched?.end(result);
  imager.signal.throwIfAborted();
  showResult(screen, order, result, stop.signal.aborted);
  await spool.close(10_000);
  await tellOutcome(imager, order, result, facts);
  if (installer.live?.handedOver) return result.kind === 'installed';
  if (result.kind !== 'installed') return false;
  if (order.options.afterwards === 'wait') {
    screen.status(`${order.name} is installed and waits, as it was told; reset it to start ${order.image}`);
    return false;
  }
  screen.status(
    `${order.name} is installed: ${order.options.afterwards === 'poweroff' ? 'powering off' : 'restarting'}`,
  );
  await (order.options.afterwards === 'poweroff' ? power.powerOff() : power.reboot());
  await clock.sleep(slowest, imager.signal);
  return false;
}

/** Who works in the system that is started sees what goes on; only the server orders it. */
async function watch({ installer, serveOrders }: Imager, { id, image, digest }: InstallOrder): Promise<WatchedMove> {
  const current = () => installer.live?.current;
  const watched = new WatchedMove(id, () => current()?.device ?? 'its disk');
  const move = { image, digest, watched, needsSource: () => current()?.needsSource ?? true };
  // It moves without that, too.
  await serveOrders?.(new MoveOrders({ ...move, problem: () => current()?.problem })).catch(() => {});
  return watched;
}

function begin(
  { installer, readFacts }: Imager,
  work: { order: InstallOrder; facts: MachineFacts; found: FoundLive | undefined; network?: Installer['network'] },
  run: (work: (task: Task) => Promise<void>) => Promise<void>,
): Promise<OrderResult> {
  const { order, facts, found, network } = work;
  const { current, handedOver } = installer.live ?? {};
  if (handedOver && current !== undefined) return goOnOrdered(order, current, installer, run);
  if (found !== undefined) return carryOnLive(order, found, installer, run);
  return carryOut(order, facts, { ...installer, readFacts, ...(network && { network }) }, run);
}

async function withNetwork(
  imager: Imager,
  facts: MachineFacts,
  work: (network: Installer['network']) => Promise<OrderResult>,
): Promise<OrderResult> {
  let network: Installer['network'];
  try {
    network = imager.network?.(facts);
  } catch (thrown) {
    return { kind: 'refused', error: toImprintError(thrown) };
  }
  return work(network);
}

function showResult(screen: ConsoleScreen, order: InstallOrder, result: OrderResult, takenBack: boolean): void {
  if (result.kind === 'installed') return;
  if (takenBack) {
    screen.status(`${order.name}: the server took the order back; the disk may hold half a system`);
    return;
  }
  const title = result.kind === 'refused' ? 'NOT INSTALLED. NOTHING WAS WRITTEN.' : 'THE INSTALL FAILED.';
  screen.failure(`${order.name}: ${title}`, result.error.toValue());
}

/**
 * Tells how it ended, for as long as it takes: an order that the server thinks open would be carried out again at the
 * next boot.
 */
async function tellOutcome(
  { server, installer, screen, clock, signal }: Imager,
  order: InstallOrder,
  result: OrderResult,
  facts: MachineFacts,
): Promise<void> {
  const outcome =
    result.kind === 'installed'
      ? ({ kind: 'installed', digest: order.digest, bootedFirmware: facts.firmware } as const)
      : result.kind === 'refused'
        ? ({ kind: 'refused', error: result.error.toValue() } as const)
        : ({ kind: 'failed', error: result.error.toValue(), ...(result.step && { step: result.step }) } as const);
  let pause = 1000;
  for (;;) {
    try {
      const reception = await server.outcome({ session: installer.session, order: order.id, outcome }, signal);
      if (reception !== 'taken') screen.line('   The server no longer waits for this install.');
      return;
    } catch {
      signal.throwIfAborted();
      screen.status(`${server.url} does not answer; waiting to tell it how the install ended`);
      await clock.sleep(pause, signal);
      pause = Math.min(pause * 2, slowest);
    }
  }
}
