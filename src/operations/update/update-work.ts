import type { z } from 'zod';
import type { machineUpdate, UpdateResult } from '../../contract/operations/updates.ts';
import type { Digest } from '../../foundation/brand.ts';
import type { Task } from '../../foundation/task.ts';
import type { RestartChoice } from '../../planning/choose-restart.ts';
import type { AgentProgram } from '../install/write-agent.ts';
import type { SlotVersion } from './slot-version.ts';
import type { MachineView, ThisMachine } from './this-machine.ts';
import type { UpdateSource } from './update-source.ts';

/** What a machine is to become, and how. */
export interface UpdateMachineRequest extends z.output<typeof machineUpdate.input> {
  /** `--store` and `--trust`. */
  store?: string;
  trust?: string;
  /** The agent that goes into the slot; absent: none. */
  agent?: AgentProgram;
  /** Only say what would be done. */
  dryRun?: boolean;
}

/** All that the parts of an update work with. */
export interface UpdateWork {
  machine: ThisMachine;
  view: MachineView;
  /** The version that runs, as the base; absent: nothing is known of it. */
  base: SlotVersion | undefined;
  source: UpdateSource;
  /** `web:3`. */
  reference: string;
  digest: Digest;
  request: UpdateMachineRequest;
  task: Task;
}

/** A part of an update that is done, and how the machine comes to run it. */
export interface DoneUpdate {
  result: UpdateResult;
  choice: RestartChoice;
}

/** Whether the root that runs is changed: where that was asked for, and where there is no other place. */
export function isInPlace({ view, request }: Pick<UpdateWork, 'view' | 'request'>): boolean {
  return request.options.inPlace === true || view.layout.layout === 'single';
}
