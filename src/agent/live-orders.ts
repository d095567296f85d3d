import { randomUUID } from 'node:crypto';
import type { InstallOrder } from '../contract/imager-protocol.ts';
import type { LivePlan, LiveRequest, LiveStatus } from '../contract/live-control.ts';
import type { DiskFacts, MachineFacts } from '../contract/machine.ts';
import type { Digest } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import { Task, type TaskEvent } from '../foundation/task.ts';
import type { ImageContent } from '../machine/image-content.ts';
import { type LiveHost, LiveInstall } from '../operations/live/live-install.ts';
import type { LiveMemory } from '../operations/live/live-memory.ts';
import { runningOptions } from '../planning/live-steps.ts';
import { planInstall } from '../planning/plan-install.ts';
import { describeStep } from '../planning/step.ts';
import type { Store, StoredVersion } from '../store/store.ts';
import { EventLog } from './event-log.ts';
import { carryOut, freshNames, type Installer, type OrderResult } from './install-order.ts';

/** A system that runs from a medium, and what it is made of. */
export interface LiveSystem {
  readonly host: LiveHost;
  readonly installer: Installer;
  readonly memory: Pick<LiveMemory, 'memory' | 'isMoved' | 'isReleased' | 'uuid'> & LiveMemory;
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
  readonly id: string;
  readonly disk: string;
  readonly events: EventLog;
  readonly result: Promise<OrderResult>;
  state: 'running' | 'finished' | 'failed';
}

/** Orders of somebody in a live system to move it onto a disk: one at a time, and only one that ends well. */
export class LiveOrders {
  readonly #system: LiveSystem;
  #move: Move | undefined;

  constructor(system: LiveSystem) {
    this.#system = system;
  }

  async status(): Promise<LiveStatus> {
    const { memory, version } = this.#system;
    const kept = await memory.memory();
    const move = this.#move;
    return {
      image: referenceOf(version),
      digest: version.record.digest,
      ...(kept && { memory: kept }),
      needsMedium: !memory.isReleased,
      ...(move && { move: { id: move.id, disk: move.disk, state: move.state } }),
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
    await move.events.follow(listener, gone);
    if (gone.aborted) return;
    const result = await move.result;
    if (result.kind !== 'installed') throw this.#told(move, result);
  }

  get #running(): NonNullable<Installer['running']> {
    const { name, memory } = this.#system;
    return { name, uuid: memory.uuid, fileSystem: memory.fileSystem };
  }

  #requireIdle(): void {
    const move = this.#move;
    if (move === undefined) return;
    if (move.state === 'failed' && !this.#system.memory.isMoved) return;
    throw new ImprintError('live-busy', {
      disk: move.disk,
      state: { running: 'it is on its way', finished: 'it is there', failed: 'that broke off' }[move.state],
    });
  }

  #begin({ options, name }: Install, { disk }: LivePlan, facts: MachineFacts): Move {
    const { host, installer, memory, version, location, store, signal } = this.#system;
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
        begin: (content) => new LiveInstall(host, { ...content, running: memory }),
        handedOver: true,
      },
    };
    const events = new EventLog();
    const result = carryOut(order, facts, given, (work) =>
      Task.run(`move ${order.image} onto ${disk.path}`, (event) => events.push(event), work, {
        ...{ id, signal, progressInterval: 250, clock: host.clock },
      }),
    );
    const move: Move = { id, disk: disk.path, events, result, state: 'running' };
    void result.then(({ kind }) => {
      move.state = kind === 'installed' ? 'finished' : 'failed';
      if (kind === 'installed') this.#system.name = order.name;
      events.end();
    });
    return move;
  }

  /** Says in which state the system is, where it is another than before the order. */
  #told({ disk }: Move, result: Exclude<OrderResult, { kind: 'installed' }>): ImprintError {
    if (!this.#system.memory.isMoved) return result.error;
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
