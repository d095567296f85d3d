import type { InstallOptions, MachineFacts, MachineState } from '../contract/machine.ts';
import type { Digest } from '../foundation/brand.ts';
import type { ErrorValue } from '../foundation/errors.ts';

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
  order?: MachineOrder;
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
  | { kind: 'silent'; problem: MachineProblem };

/** The problem that only says that nothing was heard; hearing again takes it away. */
const silence = 'machine-silent';

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
      const over = machine.problem?.code === silence || machine.problem?.reported === true;
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
      return { ...without(machine, 'problem'), state: 'assigned', order: { ...event.order, phase: 'waiting' } };
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
      return machine.state === 'installing' ? { ...machine, problem: event.problem } : machine;
  }
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
  if (machine.order || machine.state === 'healthy' || machine.state === 'failed') return machine;
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

function without<Key extends keyof MachineRecord>(machine: MachineRecord, key: Key | undefined): MachineRecord {
  if (key === undefined) return machine;
  const { [key]: _gone, ...rest } = machine;
  return rest as MachineRecord;
}
