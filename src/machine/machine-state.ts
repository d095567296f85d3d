import type { AgentReport } from '../contract/agent-report.ts';
import type { InstallOptions, MachineFacts, MachineState } from '../contract/machine.ts';
import type { MachineRules } from '../contract/machine-rules.ts';
import type { UpdateOptions } from '../contract/update.ts';
import type { Digest } from '../foundation/brand.ts';
import { type ErrorValue, ImprintError } from '../foundation/errors.ts';

/** A one-shot order to install. Only the outcome `installed` (or a person) takes it away. */
export interface MachineOrder {
  /** Also the id of the task that carries it out. */
  id: string;
  /** `web:3`. */
  image: string;
  digest: Digest;
  placed: number;
  /**
   * `waiting`: no imager has it yet. `running`: one works on it. `refused`: nothing was written, and it will not be tried
   * again before something changes. `failed`: it broke off in the middle.
   */
  phase: 'waiting' | 'running' | 'refused' | 'failed';
  /** The boot of the imager that took it. */
  session?: string;
}

/** A one-shot order to the agent of a machine that runs. Any outcome takes it away. */
export interface MachineUpdate {
  /** Also the id of the task that carries it out. */
  id: string;
  kind: 'update' | 'revert';
  /** `web:3`: what is to run then. */
  image: string;
  digest: Digest;
  placed: number;
  /** Milliseconds since 1970 before which no agent gets it. */
  notBefore?: number;
  options: UpdateOptions;
  /** `waiting`: no agent has it yet. `running`: one works on it. `trial`: all is written, and the machine restarts to prove it. */
  phase: 'waiting' | 'running' | 'trial';
  /** The start of the agent that has it. */
  session?: string;
}

export interface MachineProblem {
  code: string;
  message: string;
  hint: string;
  time: number;
  /** The imager said so between installs, and will say so again while it lasts. */
  reported?: boolean;
}

/** A machine as the server keeps it: what the contract shows, and what only the server needs. */
export interface MachineRecord {
  name: string;
  approved: boolean;
  state: MachineState;
  macs: string[];
  uuid?: string;
  address?: string;
  facts?: MachineFacts;
  image?: string;
  options: InstallOptions;
  /** The groups that it is in, the one that counts most first. */
  groups?: string[];
  /** What it is to keep of its own. */
  rules?: MachineRules;
  order?: MachineOrder;
  update?: MachineUpdate;
  /** How the machine is, as its agent last said, and when. */
  agent?: AgentReport & { time: number };
  /** The version on its disk, the order that put it there, and the boot of the imager that carried it out. */
  installed?: { image: string; digest: Digest; time: number; order: string; session?: string };
  problem?: MachineProblem;
  lastSeen?: number;
  created: number;
}

/** What happens to a machine. Times are milliseconds since 1970. */
export type MachineEvent =
  /** `problem`: what it says keeps it from working; absent: nothing does any longer. */
  | { kind: 'heard'; time: number; facts?: MachineFacts; problem?: ErrorValue | undefined }
  | { kind: 'approved'; name: string }
  | { kind: 'image-set'; image: string | undefined }
  | { kind: 'order-placed'; order: Omit<MachineOrder, 'phase' | 'session'> }
  | { kind: 'order-cancelled'; time: number }
  | { kind: 'order-taken'; session: string; time: number }
  | { kind: 'refused'; error: ErrorValue; time: number }
  | { kind: 'failed'; error: ErrorValue; time: number }
  | { kind: 'installed'; time: number }
  | { kind: 'healthy'; time: number }
  | { kind: 'silent'; problem: MachineProblem }
  /** Its agent says how it is. */
  | { kind: 'reported'; report: AgentReport; time: number }
  | { kind: 'update-placed'; update: Omit<MachineUpdate, 'phase' | 'session'> }
  | { kind: 'update-cancelled' }
  | { kind: 'update-taken'; session: string; time: number }
  /** Its update is written, and it restarts to prove it. */
  | { kind: 'staged'; time: number }
  /** The update ended: with the new version (`running`), or with the old one because of `error`; `reverted`: it had been tried. */
  | {
      kind: 'update-ended';
      time: number;
      running?: { image: string; digest: Digest };
      error?: ErrorValue;
      reverted?: boolean;
    };

/** The problems that only say that nothing was heard; hearing again takes them away. */
const silences: readonly string[] = ['machine-silent', 'agent-silent'];

/**
 * The machine after an event. Pure; an event that does not fit its state (an outcome without an order, say) leaves the
 * machine as it was.
 */
export function nextMachine(machine: MachineRecord, event: MachineEvent): MachineRecord {
  switch (event.kind) {
    case 'heard': {
      const heard = { ...machine, lastSeen: event.time, ...(event.facts && { facts: event.facts }) };
      if (event.problem) {
        const { code, message, hint } = event.problem;
        return { ...heard, problem: { code, message, hint, time: event.time, reported: true } };
      }
      const over = silences.includes(machine.problem?.code ?? '') || machine.problem?.reported === true;
      return over ? without(heard, 'problem') : heard;
    }
    case 'approved':
      return settled({ ...machine, name: event.name, approved: true });
    case 'image-set': {
      const set = event.image === undefined ? without(machine, 'image') : { ...machine, image: event.image };
      return settled(set);
    }
    case 'order-placed': {
      if (!machine.approved || machine.order?.phase === 'running') return machine;
      const ready = without(without(machine, 'problem'), 'update');
      return { ...ready, state: 'assigned', order: { ...event.order, phase: 'waiting' } };
    }
    case 'order-cancelled':
      return cancelled(machine, event.time);
    case 'order-taken': {
      if (!machine.order) return machine;
      const order = { ...machine.order, phase: 'running' as const, session: event.session };
      return { ...without(machine, 'problem'), state: 'installing', order, lastSeen: event.time };
    }
    case 'refused':
      return broken(machine, 'refused', event);
    case 'failed':
      // From the first write on, what the disk held is gone.
      return without(broken(machine, 'failed', event), machine.order ? 'installed' : undefined);
    case 'installed': {
      if (!machine.order) return machine;
      const { id, image, digest, session } = machine.order;
      const installed = { image, digest, time: event.time, order: id, ...(session !== undefined && { session }) };
      return { ...without(without(machine, 'order'), 'problem'), state: 'installed', installed, lastSeen: event.time };
    }
    case 'healthy':
      if (!machine.installed || machine.state === 'installing') return machine;
      return {
        ...without(machine, machine.order ? undefined : 'problem'),
        state: machine.order ? machine.state : 'healthy',
        lastSeen: event.time,
      };
    case 'silent':
      return isAtWork(machine.state) ? { ...machine, problem: event.problem } : machine;
    case 'reported':
      return reported(machine, event);
    case 'update-placed':
      if (!machine.approved || machine.order || (machine.update && machine.update.phase !== 'waiting')) return machine;
      return { ...machine, update: { ...event.update, phase: 'waiting' } };
    case 'update-cancelled':
      return machine.update ? restedAgent(without(machine, 'update')) : machine;
    case 'update-taken': {
      if (!machine.update) return machine;
      const phase = machine.update.phase === 'trial' ? 'trial' : 'running';
      const update: MachineUpdate = { ...machine.update, phase, session: event.session };
      const state = phase === 'trial' ? 'trial' : 'updating';
      return { ...without(machine, 'problem'), state, update, lastSeen: event.time };
    }
    case 'staged':
      if (!machine.update) return machine;
      return { ...machine, state: 'trial', update: { ...machine.update, phase: 'trial' }, lastSeen: event.time };
    case 'update-ended':
      return updateEnded(machine, event);
  }
}

/** Problems of the system itself: one that is well has them no longer. */
const overWithHealth: readonly string[] = ['trial-failed', 'first-boot-failed'];

/** Whether something is being done to a machine in this state, so that its silence is worth telling. */
export function isAtWork(state: MachineState): boolean {
  return state === 'installing' || state === 'updating' || state === 'trial';
}

/** Whether a machine in this state has a system of ours on its disk, from which it boots. */
export function hasSystem(state: MachineState): boolean {
  return (
    state === 'installed' || state === 'healthy' || state === 'reverted' || state === 'updating' || state === 'trial'
  );
}

/** Whether a task has the machine to itself now. */
export function isBusy(machine: MachineRecord): boolean {
  return machine.order?.phase === 'running';
}

/** The state of a machine that nothing happens to. */
function restingState(machine: MachineRecord): MachineState {
  if (!machine.approved) return 'discovered';
  if (machine.installed) return 'installed';
  return machine.image === undefined ? 'registered' : 'assigned';
}

/** Takes the resting state over where the machine is at rest; `healthy`, `failed` and an order at work stay. */
function settled(machine: MachineRecord): MachineRecord {
  if (machine.order || machine.state === 'failed' || isAtWork(machine.state)) return machine;
  if (machine.state === 'healthy' || machine.state === 'reverted') return machine;
  return { ...machine, state: restingState(machine) };
}

function cancelled(machine: MachineRecord, time: number): MachineRecord {
  if (!machine.order) return machine;
  const free = without(machine, 'order');
  if (machine.order.phase === 'waiting' || machine.order.phase === 'refused') {
    const rested = without(free, 'problem');
    return { ...rested, state: restingState(rested) };
  }
  const problem: MachineProblem = machine.problem ?? {
    code: 'interrupted',
    message: `The install of ${machine.order.image} was cancelled in the middle; the disk holds no whole system.`,
    hint: `Install it again: imprint install ${machine.name}`,
    time,
  };
  return { ...without(free, 'installed'), state: 'failed', problem };
}

function broken(
  machine: MachineRecord,
  phase: 'refused' | 'failed',
  event: { error: ErrorValue; time: number },
): MachineRecord {
  if (!machine.order) return machine;
  const { code, message, hint } = event.error;
  const problem = { code, message, hint, time: event.time };
  return { ...machine, state: 'failed', order: { ...machine.order, phase }, problem, lastSeen: event.time };
}

/** What an agent says counts where no install is under way: it runs, so its system is there. */
function reported(machine: MachineRecord, { report, time }: { report: AgentReport; time: number }): MachineRecord {
  const heard: MachineRecord = { ...machine, agent: { ...report, time }, lastSeen: time };
  const { running } = report;
  if (running === undefined || !machine.approved || machine.order?.phase === 'running') return heard;
  const same = machine.installed?.digest === running.digest;
  const installed = same
    ? machine.installed
    : { image: running.image, digest: running.digest as Digest, time, order: machine.installed?.order ?? '' };
  const seen: MachineRecord = { ...heard, ...(installed && { installed }) };
  return seen.order || isUpdating(seen) ? seen : restedAgent(seen);
}

function isUpdating({ update }: MachineRecord): boolean {
  return update !== undefined && update.phase !== 'waiting';
}

/** The state of a machine whose agent does nothing, by what it last said. */
function restedAgent(machine: MachineRecord): MachineRecord {
  const { agent } = machine;
  if (agent?.running === undefined) return { ...machine, state: restingState(machine) };
  if (agent.situation === 'trial' || agent.situation === 'dropped') return { ...machine, state: 'trial' };
  if (agent.firstBoot !== undefined) return firstBooting(machine, agent, agent.firstBoot);
  if (agent.failure === undefined) {
    const over =
      machine.state === 'reverted' || machine.problem === undefined || overWithHealth.includes(machine.problem.code);
    const rested: MachineRecord = { ...machine, state: 'healthy' };
    return over ? without(rested, 'problem') : rested;
  }
  const { image, reason } = agent.failure;
  const { code, message, hint } = new ImprintError('trial-failed', { reference: image, reason }).toValue();
  return { ...machine, state: 'reverted', problem: { code, message, hint, time: agent.failure.time } };
}

/** It is not healthy before all of its first boot's scripts have ended well; it is there, though, and boots from its disk. */
function firstBooting(
  machine: MachineRecord,
  { time }: { time: number },
  { state, script = '', status = 0, log = '' }: NonNullable<AgentReport['firstBoot']>,
): MachineRecord {
  const resting: MachineRecord = { ...machine, state: restingState(machine) };
  if (state === 'running') return machine.problem?.code === 'first-boot-failed' ? without(resting, 'problem') : resting;
  const details = { script, status, machine: machine.name, log: log || '(it said nothing)' };
  const { code, message, hint } = new ImprintError('first-boot-failed', details).toValue();
  const known = machine.problem?.message === message ? machine.problem.time : undefined;
  return { ...resting, problem: { code, message, hint, time: known ?? time } };
}

function updateEnded(
  machine: MachineRecord,
  event: { time: number; running?: { image: string; digest: Digest }; error?: ErrorValue; reverted?: boolean },
): MachineRecord {
  const { time, running, error, reverted } = event;
  if (!machine.update) return machine;
  const free: MachineRecord = { ...without(without(machine, 'update'), 'problem'), lastSeen: time };
  if (error) {
    const { code, message, hint } = error;
    const state = reverted ? 'reverted' : machine.installed ? 'healthy' : restingState(free);
    return { ...free, state, problem: { code, message, hint, time } };
  }
  const installed = running && { ...running, time, order: machine.installed?.order ?? '' };
  return { ...free, state: 'healthy', ...(installed && { installed }) };
}

function without<Key extends keyof MachineRecord>(machine: MachineRecord, key: Key | undefined): MachineRecord {
  if (key === undefined) return machine;
  const { [key]: _gone, ...rest } = machine;
  return rest as MachineRecord;
}
