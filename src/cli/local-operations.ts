import type { z } from 'zod';
import type { Operation } from '../contract/operation.ts';
import { installCancel, installOrder, installPlan } from '../contract/operations/installs.ts';
import {
  machineAdd,
  machineApprove,
  machineList,
  machineRemove,
  machineSet,
  machineShow,
} from '../contract/operations/machines.ts';
import { taskList, taskShow } from '../contract/operations/tasks.ts';
import { ImprintError } from '../foundation/errors.ts';
import { addMachines } from '../operations/add-machines.ts';
import { approveMachine } from '../operations/approve-machine.ts';
import { cancelInstall } from '../operations/cancel-install.ts';
import type { Context } from '../operations/context.ts';
import { orderInstall } from '../operations/order-install.ts';
import { planInstalls } from '../operations/plan-installs.ts';
import { listMachines, readMachine } from '../operations/read-machines.ts';
import { listTasks, readTask } from '../operations/read-tasks.ts';
import { removeMachines } from '../operations/remove-machines.ts';
import { setMachines } from '../operations/set-machines.ts';
import { parseInput } from './parse-input.ts';

type LocalOperation = readonly [operation: Operation, run: (context: Context, input: unknown) => Promise<unknown>];

/** Pairs an operation with what carries it out; the types hold the two against each other. */
function local<Input extends z.ZodType, Output extends z.ZodType>(
  operation: Operation<Input, Output>,
  run: (context: Context, input: z.output<Input>) => Promise<z.input<Output>>,
): LocalOperation {
  return [
    operation as unknown as Operation,
    (context, input) => run(context, parseInput(operation.input, input as z.input<Input>)),
  ];
}

const operations: readonly LocalOperation[] = [
  local(machineList, listMachines),
  local(machineShow, readMachine),
  local(machineAdd, addMachines),
  local(machineSet, setMachines),
  local(machineApprove, approveMachine),
  local(machineRemove, removeMachines),
  local(installPlan, planInstalls),
  local(installOrder, orderInstall),
  local(installCancel, cancelInstall),
  local(taskList, listTasks),
  local(taskShow, readTask),
];

/** Runs an operation of the server in this process, while no server runs on the data directory. */
export async function runLocally<Input extends z.ZodType, Output extends z.ZodType>(
  context: Context,
  operation: Operation<Input, Output>,
  input: z.input<Input>,
): Promise<z.output<Output>> {
  const found = operations.find(([each]) => each.name === operation.name);
  if (found) return (await found[1](context, input)) as z.output<Output>;
  const problem = `none runs on ${context.paths.data}`;
  throw new ImprintError('server-unreachable', { server: 'of this machine', problem });
}
