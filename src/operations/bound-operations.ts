import type { z } from 'zod';
import type { Operation } from '../contract/operation.ts';
import { bootCopyFetch, bootCopyKeep, bootCopyList } from '../contract/operations/boot-copies.ts';
import { installCancel, installOrder, installPlan } from '../contract/operations/installs.ts';
import {
  machineAdd,
  machineApprove,
  machineForgetObjects,
  machineList,
  machineObjects,
  machineRemove,
  machineSet,
  machineShow,
} from '../contract/operations/machines.ts';
import { scriptAdd, scriptList, scriptRemove, scriptShow } from '../contract/operations/scripts.ts';
import { imageList, serverStatus } from '../contract/operations/server.ts';
import { taskList, taskShow } from '../contract/operations/tasks.ts';
import { revertOrder, updateCancel, updateOrder } from '../contract/operations/updates.ts';
import { addMachines } from './add-machines.ts';
import { approveMachine } from './approve-machine.ts';
import { cancelInstall } from './cancel-install.ts';
import { addScript, forgetScript, listScripts, showScript } from './change-scripts.ts';
import type { Context } from './context.ts';
import { orderInstall } from './order-install.ts';
import { cancelUpdate, orderRevert, orderUpdate } from './order-update.ts';
import { planInstalls } from './plan-installs.ts';
import { readImages } from './read-images.ts';
import { listMachines, readMachine } from './read-machines.ts';
import { forgetMachineObjects, readObjects } from './read-objects.ts';
import { listTasks, readTask } from './read-tasks.ts';
import { removeMachines } from './remove-machines.ts';
import { fetchBootCopy, keepBootCopy, listBootCopies } from './server-boot-copies.ts';
import { readServerStatus, type ServerFacts } from './server-status.ts';
import { setMachines } from './set-machines.ts';

/** An operation with what carries it out. */
export interface BoundOperation {
  readonly operation: Operation;
  /** `input` is what the operation's schema made of the request; the answer fits its output schema. */
  run(context: Context, input: unknown): Promise<unknown>;
}

/** What needs only the data directory: the server offers it over HTTP, the command line does it where no server runs. */
export function dataOperations(): BoundOperation[] {
  return [
    bind(machineList, listMachines),
    bind(machineShow, readMachine),
    bind(machineAdd, addMachines),
    bind(machineSet, setMachines),
    bind(machineApprove, approveMachine),
    bind(machineRemove, removeMachines),
    bind(machineObjects, readObjects),
    bind(machineForgetObjects, forgetMachineObjects),
    bind(scriptList, listScripts),
    bind(scriptShow, showScript),
    bind(scriptAdd, addScript),
    bind(scriptRemove, forgetScript),
    bind(bootCopyKeep, keepBootCopy),
    bind(bootCopyList, listBootCopies),
    bind(bootCopyFetch, fetchBootCopy),
    bind(installPlan, planInstalls),
    bind(installOrder, orderInstall),
    bind(installCancel, cancelInstall),
    bind(updateOrder, orderUpdate),
    bind(revertOrder, orderRevert),
    bind(updateCancel, cancelUpdate),
    bind(taskList, listTasks),
    bind(taskShow, readTask),
  ];
}

/** Everything that a server offers over HTTP. */
export function serverOperations(facts: ServerFacts): BoundOperation[] {
  return [
    ...dataOperations(),
    bind(imageList, readImages),
    bind(serverStatus, (context) => readServerStatus(context, facts)),
  ];
}

function bind<Input extends z.ZodType, Output extends z.ZodType>(
  operation: Operation<Input, Output>,
  work: (context: Context, input: z.output<Input>) => Promise<z.input<Output>>,
): BoundOperation {
  return { operation, run: (context, input) => work(context, input as z.output<Input>) };
}
