import type { AgentOutcome } from '../contract/agent-protocol.ts';
import type { ObjectWish } from '../contract/kept-object.ts';
import type { MachineFacts } from '../contract/machine.ts';
import type { MachineRules } from '../contract/machine-rules.ts';
import type { UpdateResult } from '../contract/operations/updates.ts';
import type { Clock } from '../foundation/clock.ts';
import { type ErrorValue, type ImprintError, toImprintError } from '../foundation/errors.ts';
import type { TaskEvent } from '../foundation/task.ts';
import type { FirstBootState } from '../machine/first-boot-scripts.ts';
import type { MachineView } from '../operations/update/this-machine.ts';
import type { AgentClient } from './agent-client.ts';
import { makeReport } from './agent-report.ts';
import { notedUpdate } from './boot-outcome.ts';
import { EventSpool } from './event-spool.ts';
import type { WorkOrder } from './run-order.ts';

/** What the agent works with; tests put their own in place. */
export interface Agent {
  /** Version of the program. */
  readonly program: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** One for each start. */
  readonly session: string;
  /** Milliseconds since 1970 at which the kernel started. */
  readonly booted: number;
  /** Absent: this machine is on its own. */
  readonly client?: AgentClient;
  /** Does what the boot left to be done. Undefined: this system is none of ours. */
  settle(): Promise<MachineView | undefined>;
  /** Looks again where something may have changed; undefined where nothing has. */
  lookAgain(): Promise<MachineView | undefined>;
  /** Proves the trial that runs, or gives it up and restarts. Returns the machine as it is then. */
  prove(view: MachineView, serverReached: (() => Promise<boolean>) | undefined): Promise<MachineView>;
  /** Forgets the note of an update that has ended. */
  forgetNote(): Promise<void>;
  readFacts(): Promise<MachineFacts>;
  /** How the scripts of the first boot are. Undefined: none is left to be run. */
  readFirstBoot?(): Promise<FirstBootState | undefined>;
  runOrder(
    order: WorkOrder,
    hooks: { event(event: TaskEvent): void; staged(result: UpdateResult): void; signal: AbortSignal },
  ): Promise<UpdateResult>;
  /** Called with what each signed answer says of this machine's own paths. */
  takeRules(rules: MachineRules): Promise<void>;
  /** Has the server keep this machine's object; the settings may say no. Resolves with what became of it, in words; undefined: nothing to tell. */
  keepObject(wish: ObjectWish, facts: MachineFacts): Promise<string | undefined>;
  /** Called with the time of each signed answer. */
  serverTime(time: number): Promise<void>;
  log(message: string): void;
}

/** Seconds that one question waits for an order. */
const longPoll = 60;
/** Milliseconds between tries of a server that is away: doubled each time, up to this. */
const slowest = 300_000;
/** Tries to find out how the boot stands, and milliseconds between two. */
const settleTries = 6;
const settlePause = 5000;
const factsAge = 3_600_000;
const objectAge = 3_600_000;

/** Runs the agent until its signal ends it: the boot is settled, a trial proven, the server told, its orders carried out. */
export async function runAgent(agent: Agent): Promise<void> {
  await new AgentRun(agent).run();
}

class AgentRun {
  readonly #agent: Agent;
  #view: MachineView | undefined;
  #reached = false;
  /** The order that is being carried out, or proven. */
  #order: string | undefined;
  #working: Promise<void> | undefined;
  /** Told as often as it takes. */
  #outcome: { order: string; outcome: AgentOutcome['outcome'] } | undefined;
  /** The one that is under way to the server. */
  #telling: { order: string; outcome: AgentOutcome['outcome'] } | undefined;
  #facts: { read: number; facts: MachineFacts } | undefined;
  /** When the object was last sent, or was found to be at the server. */
  #kept = 0;
  #keeping = false;
  #problem: ErrorValue | undefined;
  /** Aborted when there is more to say than the question that waits has said. */
  #news = new AbortController();

  constructor(agent: Agent) {
    this.#agent = agent;
  }

  async run(): Promise<void> {
    const { signal, client } = this.#agent;
    await this.#settle();
    const trial = this.#proveTrial();
    const server = client === undefined ? Promise.resolve() : this.#askForever(client);
    await Promise.all([trial, server]).catch((thrown) => {
      if (!signal.aborted) throw thrown;
    });
    if (!signal.aborted)
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    await this.#working?.catch(() => {});
  }

  /** A trial that is not even found would never be proven, so what is in the way may pass: a disk that comes late, somebody who holds the boot partition. */
  async #settle(): Promise<void> {
    const { clock, signal } = this.#agent;
    for (let tries = 1; !(await this.#trySettle()) && tries < settleTries && !signal.aborted; tries += 1)
      await clock.sleep(settlePause, signal).catch(() => {});
  }

  async #trySettle(): Promise<boolean> {
    const { log } = this.#agent;
    try {
      this.#view = await this.#agent.settle();
      if (this.#view !== undefined) log(describe(this.#view));
      await this.#takeNote();
      this.#problem = undefined;
      return true;
    } catch (thrown) {
      const error = toImprintError(thrown);
      log(`this machine’s boot partition cannot be used: ${error.message}`);
      this.#problem = error.toValue();
      return false;
    }
  }

  /** What became of the update that was noted: goes on with its order, or has its end told. */
  async #takeNote(): Promise<void> {
    const view = this.#view;
    if (view === undefined) return;
    const noted = notedUpdate(view);
    this.#order = noted.kind === 'none' ? undefined : noted.order;
    if (noted.kind === 'ended' && noted.order !== undefined && this.#agent.client !== undefined) {
      this.#outcome = { order: noted.order, outcome: noted.outcome };
      return;
    }
    if (noted.kind !== 'going-on' && view.note !== undefined) await this.#agent.forgetNote();
  }

  async #proveTrial(): Promise<void> {
    const view = this.#view;
    if (view?.situation.kind !== 'trial' && view?.situation.kind !== 'dropped') return;
    const { client, prove, log, signal } = this.#agent;
    try {
      this.#view = await prove(view, client === undefined ? undefined : async () => this.#reached);
      log(describe(this.#view));
      await this.#takeNote();
      await this.#tellOutcome();
      this.#news.abort();
    } catch (thrown) {
      if (signal.aborted) return;
      // Nothing more is to be done about it here: the time limit of the trial restarts the machine.
      log(`the trial could not be proven: ${toImprintError(thrown).message}`);
    }
  }

  async #askForever(client: AgentClient): Promise<void> {
    const { clock, signal, log } = this.#agent;
    let pause = 1000;
    let told = '';
    let waitSeconds = 0;
    while (!signal.aborted) {
      const asked = clock.now();
      try {
        const { order, time, rules, object } = await this.#ask(client, waitSeconds);
        pause = 1000;
        told = '';
        this.#reached = true;
        await this.#agent.serverTime(time);
        await this.#takeRules(rules);
        if (object !== undefined && order.kind === 'wait') this.#keepObject(object);
        await this.#tellOutcome();
        if (order.kind !== 'wait') this.#begin(order);
        // A server that does not wait as it was asked to must not be asked without end.
        else if (waitSeconds > 0 && clock.now() - asked < 2000) await clock.sleep(2000, signal);
        waitSeconds = longPoll;
      } catch (thrown) {
        if (signal.aborted) return;
        if (this.#news.signal.aborted) continue;
        const error = toImprintError(thrown);
        if (error.message !== told) log(error.message);
        told = error.message;
        this.#problem = error.code === 'signature-wrong' ? error.toValue() : undefined;
        await clock.sleep(pause * (0.75 + Math.random() / 2), signal);
        pause = Math.min(pause * 2, slowest);
        waitSeconds = 0;
      }
    }
  }

  /** A disk that is full must not keep an order from being carried out. */
  async #takeRules(rules: MachineRules | undefined): Promise<void> {
    const { takeRules, log } = this.#agent;
    if (rules === undefined) return;
    await takeRules(rules).catch((thrown) =>
      log(`what the server says of this machine’s own paths could not be kept: ${toImprintError(thrown).message}`),
    );
  }

  /** Beside the questions, once in an hour, and after each change of the version; whatever becomes of it. */
  #keepObject(wish: ObjectWish): void {
    const { clock, keepObject, log, signal } = this.#agent;
    const facts = this.#facts?.facts;
    if (facts === undefined || this.#keeping || clock.now() - this.#kept < objectAge) return;
    this.#keeping = true;
    this.#kept = clock.now();
    void keepObject(wish, facts)
      .then((said) => said === undefined || log(said))
      .catch(
        (thrown) =>
          signal.aborted ||
          log(`the server does not keep what makes this machine itself: ${toImprintError(thrown).message}`),
      )
      .finally(() => {
        this.#keeping = false;
      });
  }

  async #ask(client: AgentClient, waitSeconds: number) {
    const { program, booted, session, signal, clock } = this.#agent;
    const again = this.#working === undefined ? await this.#agent.lookAgain().catch(() => undefined) : undefined;
    if (again !== undefined) {
      this.#view = again;
      this.#kept = 0;
      await this.#takeNote();
    }
    if (this.#facts === undefined || clock.now() - this.#facts.read > factsAge) {
      this.#facts = { read: clock.now(), facts: await this.#agent.readFacts() };
    }
    // What cannot be read is not done: a machine is not called healthy by it.
    const firstBoot = await this.#agent.readFirstBoot?.().catch(() => ({ state: 'running' as const }));
    const question = {
      ...{ session, facts: this.#facts.facts, report: makeReport(program, booted, this.#view, firstBoot) },
      ...{ waitSeconds: this.#outcome === undefined ? waitSeconds : 0 },
      ...(this.#order === undefined ? {} : { order: this.#order }),
      ...(this.#problem === undefined ? {} : { problem: this.#problem }),
    };
    this.#news = new AbortController();
    const answer = await client.hello(question, AbortSignal.any([signal, this.#news.signal]));
    if (this.#problem?.code === 'signature-wrong') this.#problem = undefined;
    return answer;
  }

  #begin(order: WorkOrder): void {
    if (this.#working !== undefined) return;
    this.#order = order.id;
    this.#working = this.#carryOut(order).finally(() => {
      this.#working = undefined;
    });
  }

  async #carryOut(order: WorkOrder): Promise<void> {
    const { client, clock, session, signal, log } = this.#agent;
    if (client === undefined) return;
    log(`${order.kind} ordered: ${order.kind === 'update' ? order.image : (order.to?.image ?? 'the version before')}`);
    const stop = new AbortController();
    const spool = new EventSpool({
      clock,
      send: async (events) => {
        if ((await client.events({ session, order: order.id, events }, signal)) === 'stale') stop.abort();
      },
    });
    try {
      const result = await this.#agent.runOrder(order, {
        event: (event) => spool.push(event),
        staged: (early) => {
          if (early.kind !== 'staged') return;
          this.#outcome = { order: order.id, outcome: { kind: 'staged' } };
          void this.#tellOutcome();
        },
        signal: AbortSignal.any([signal, stop.signal]),
      });
      if (result.kind !== 'staged') {
        const version = { image: result.to.reference, digest: result.to.digest };
        this.#end(order.id, { kind: 'committed', version });
      }
    } catch (thrown) {
      if (signal.aborted) return;
      const error: ImprintError = toImprintError(thrown);
      log(`${order.kind} failed: ${error.message}`);
      if (!stop.signal.aborted) {
        this.#end(order.id, { kind: error.code === 'trial-failed' ? 'fell-back' : 'failed', error: error.toValue() });
      } else this.#order = undefined;
    }
    await spool.close(5000);
    await this.#tellOutcome();
  }

  #end(order: string, outcome: AgentOutcome['outcome']): void {
    this.#order = undefined;
    this.#outcome = { order, outcome };
  }

  /** Tells how an order ended, if that is still to be told. A server that is away is told with the next question that it answers. */
  async #tellOutcome(): Promise<void> {
    const { client, session, signal } = this.#agent;
    const telling = this.#outcome;
    if (telling === undefined || client === undefined || !this.#reached || this.#telling === telling) return;
    this.#telling = telling;
    const reception = await client.outcome({ session, ...telling }, signal).catch(() => undefined);
    this.#telling = undefined;
    if (reception === undefined || this.#outcome !== telling) return;
    this.#outcome = undefined;
    if (telling.outcome.kind === 'staged') return;
    this.#order = undefined;
    await this.#agent.forgetNote().catch(() => {});
  }
}

function describe({ running, situation, failure }: MachineView): string {
  const what = running?.reference ?? ('entry' in situation ? situation.entry : 'a dropped image');
  const why = failure === undefined ? '' : `; ${failure.entry} was given up: ${failure.reason}`;
  return `${what} runs (${situation.kind})${why}`;
}
