import { randomUUID } from 'node:crypto';
import type { InstallOrder } from '../contract/imager-protocol.ts';
import type { LivePlan, LiveRequest, LiveStatus } from '../contract/live-control.ts';
import type { DiskFacts, MachineFacts } from '../contract/machine.ts';
import type { Digest } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import { Task, type TaskEvent } from '../foundation/task.ts';
import type { ImageContent } from '../machine/image-content.ts';
import type { LiveHost } from '../operations/live/live-host.ts';
import { LiveInstall } from '../operations/live/live-install.ts';
import type { LiveMemory } from '../operations/live/live-memory.ts';
import { runningOptions } from '../planning/live-steps.ts';
import { planInstall } from '../planning/plan-install.ts';
import { describeStep } from '../planning/step.ts';
import type { Store, StoredVersion } from '../store/store.ts';
import { carryOut, freshNames, type Installer, type OrderResult } from './install-order.ts';
import { goOnLive } from './live-order.ts';
import { WatchedMove } from './watched-move.ts';

/** A system that runs from a medium, and what it is made of. */
export interface LiveSystem {
  readonly host: LiveHost;
  readonly installer: Installer;
  readonly memory: LiveMemory;
  readonly version: StoredVersion;
  readonly content: ImageContent;
  /** Open as long as the system needs it. */
  readonly store: Store;
  /** Where a later start finds it. */
  readonly location: string;
  /** Its host name. */
  name: string;
  readonly signal: AbortSignal;
  readFacts(): Promise<MachineFacts>;
}

type Plan = Extract<LiveRequest, { kind: 'plan' }>;
type Install = Extract<LiveRequest, { kind: 'install' }>;
type Listener = (event: TaskEvent) => void;

/** The move that was ordered. */
interface Move {
  readonly watched: WatchedMove;
  readonly order: InstallOrder;
  /** How it is carried out, from its start or from where it broke off. */
  live: LiveInstall | undefined;
  task: Task | undefined;
}

/** Orders of somebody in a live system to move it onto a disk: one at a time, and only one that ends well. */
export class LiveOrders {
  readonly #system: LiveSystem;
  #move: Move | undefined;
  #problem: string | undefined;

  constructor(system: LiveSystem) {
    this.#system = system;
  }

  async status(): Promise<LiveStatus> {
    const { memory, version } = this.#system;
    const kept = await memory.memory();
    const { watched } = this.#move ?? {};
    const isMoved = watched?.state === 'failed' && memory.isMoved;
    return {
      image: referenceOf(version),
      digest: version.record.digest,
      ...(kept && { memory: kept }),
      needsMedium: !memory.isReleased,
      ...(this.#problem !== undefined && { problem: this.#problem }),
      ...(watched && {
        move: { id: watched.id, disk: watched.disk, state: watched.state, ...(isMoved && { goesOn: true }) },
      }),
    };
  }

  /** What a move would do. Nothing is written. Errors: `live-busy`, and why an install with these options is refused. */
  async plan(wish: Pick<Plan, 'options' | 'name'>): Promise<LivePlan> {
    this.#requireIdle();
    return (await this.#plan(wish)).plan;
  }

  async #plan({ options, name }: Pick<Plan, 'options' | 'name'>): Promise<{ plan: LivePlan; facts: MachineFacts }> {
    const { version, content, installer, readFacts } = this.#system;
    const facts = await readFacts();
    const running = this.#running;
    const plan = planInstall({
      ...{ name: name ?? running.name, facts, reference: referenceOf(version), record: version.record, content },
      ...{
        options: runningOptions(options, running.fileSystem),
        fresh: freshNames({ ...installer, running }),
        running,
      },
      ...(installer.kernel && { kernel: installer.kernel }),
    });
    if (plan.kind === 'refused') throw plan.error;
    return {
      facts,
      plan: {
        ...{ name: name ?? running.name, image: referenceOf(version) },
        ...{ disk: shown(plan.disk), others: plan.others.map(shown) },
        lost: plan.lost.map(({ path, what, bytes, used }) => ({
          ...{ path, what, bytes },
          ...(used !== undefined && { used }),
        })),
        steps: plan.steps.map(describeStep),
      },
    };
  }

  /** Carries an order out; who gave it may go, and it goes on. Errors: those of the plan; `live-busy`, `live-broken-off`, `live-disk-changed`. */
  async install(request: Install, listener: Listener, gone: AbortSignal): Promise<void> {
    this.#requireIdle();
    const { plan, facts } = await this.#plan(request);
    // Two may have asked at once.
    this.#requireIdle();
    const { disk } = request;
    if (plan.disk.path !== disk.path || plan.disk.serial !== disk.serial)
      throw new ImprintError('live-disk-changed', { meant: disk.path, disk: plan.disk.path });
    this.#move = this.#begin(request, plan, facts);
    await this.follow(listener, gone);
  }

  /** The events of the move from its first. Errors: how it failed; `live-idle` where there is none. */
  async follow(listener: Listener, gone: AbortSignal): Promise<void> {
    const move = this.#move;
    if (move === undefined) throw new ImprintError('live-idle', {});
    const result = await move.watched.follow(listener, gone);
    if (result !== undefined && result.kind !== 'installed') throw this.#told(move, result);
  }

  /** Has a move that broke off go on where it is; onto another disk it cannot go. Errors: how it failed; `live-idle`, `live-busy`. */
  async goOn(listener: Listener, gone: AbortSignal): Promise<void> {
    const move = this.#move;
    if (move?.live === undefined) throw new ImprintError('live-idle', {});
    const { watched, live } = move;
    if (watched.state === 'finished') throw watched.busy();
    if (watched.state === 'failed') {
      watched.again();
      void goOnLive(move.order.name, live, this.#system.installer, this.#runner(move)).then((result) =>
        this.#ended(move, result),
      );
    }
    await this.follow(listener, gone);
  }

  /** The medium cannot be read, or (no problem) it can again. */
  sourceTold(problem: string | undefined): void {
    this.#problem = problem;
    if (this.#move?.watched.state === 'running' && problem !== undefined) this.#move.task?.warn(problem);
  }

  get #running(): NonNullable<Installer['running']> {
    const { name, memory } = this.#system;
    return { name, uuid: memory.uuid, fileSystem: memory.fileSystem };
  }

  #requireIdle(): void {
    const move = this.#move;
    if (move === undefined) return;
    if (move.watched.state === 'failed' && !this.#system.memory.isMoved) return;
    throw move.watched.busy();
  }

  #begin({ options, name }: Install, { disk }: LivePlan, facts: MachineFacts): Move {
    const { host, installer, memory, version, location, store } = this.#system;
    const id = `live-${randomUUID()}`;
    const running = this.#running;
    const order: InstallOrder = {
      ...{ kind: 'install', id, name: name ?? running.name, image: referenceOf(version) },
      ...{ digest: version.record.digest as Digest, record: version.recordText, store: location },
      ...{ recordSignature: version.signature ?? '', options: runningOptions(options, running.fileSystem) },
    };
    const given: Installer = {
      ...installer,
      running,
      // It is open, and stays so as long as the system needs it.
      openStore: async () => lent(store),
      live: {
        begin: (content) => {
          move.live = new LiveInstall(host, { ...content, running: memory });
          return move.live;
        },
        handedOver: true,
      },
    };
    const move: Move = { watched: new WatchedMove(id, () => disk.path), order, live: undefined, task: undefined };
    void carryOut(order, facts, given, this.#runner(move)).then((result) => this.#ended(move, result));
    return move;
  }

  #runner(move: Move): (work: (task: Task) => Promise<void>) => Promise<void> {
    const { host, signal } = this.#system;
    const { watched, order } = move;
    const options = { id: watched.id, signal, progressInterval: 250, clock: host.clock };
    return (work) =>
      Task.run(
        `move ${order.image} onto ${watched.disk}`,
        (event) => watched.push(event),
        (task) => {
          move.task = task;
          return work(task);
        },
        options,
      );
  }

  #ended({ watched, order }: Move, result: OrderResult): void {
    if (result.kind === 'installed') this.#system.name = order.name;
    watched.end(result);
  }

  /** Says in which state the system is, where it is another than before the order. */
  #told({ watched: { disk } }: Move, result: Exclude<OrderResult, { kind: 'installed' }>): ImprintError {
    if (!this.#system.memory.isMoved || result.error.code === 'live-changes-lost') return result.error;
    const { isReleased } = this.#system.memory;
    return new ImprintError('live-broken-off', {
      disk,
      problem: result.error.message.replace(/\.$/, ''),
      state: isReleased
        ? `all of it is on ${disk}, and what was written since lies there beside it`
        : `the medium is still needed, and what was written since the order is on ${disk}`,
    });
  }
}

function referenceOf({ record }: StoredVersion): string {
  return `${record.image}:${record.number}`;
}

function shown({ path, serial, size, content }: DiskFacts): LivePlan['disk'] {
  return { path, size, content, ...(serial !== undefined && { serial }) };
}

/** The store for one who closes it when he is done. */
function lent(store: Store): Store {
  return new Proxy(store, {
    get(target, name) {
      if (name === 'close') return async () => {};
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
