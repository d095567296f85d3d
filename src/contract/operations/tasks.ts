import { z } from 'zod';
import { defineOperation } from '../operation.ts';
import { taskEventSchema, taskSummarySchema } from '../task-event.ts';
import { machineReferenceSchema } from './machines.ts';

/*
 * Events live come by server-sent events: `GET /api/v1/tasks/:id/events` (one task; ends with it; `id` = `seq`) and
 * `GET /api/v1/events` (all tasks as `event: task`, changed machines as `event: machine`, both as JSON).
 */

export const taskList = defineOperation({
  name: 'task.list',
  summary: 'List tasks, newest first',
  input: z.object({
    machine: machineReferenceSchema.optional(),
    state: z.enum(['waiting', 'running', 'finished', 'failed']).optional(),
    limit: z.coerce.number().int().min(1).max(1000).optional(),
  }),
  output: z.object({ tasks: z.array(taskSummarySchema) }),
  errors: ['machine-not-found'],
  effect: 'read',
  runsOn: 'server',
  long: false,
});

export const taskShow = defineOperation({
  name: 'task.show',
  summary: 'Show one task with what it said',
  input: z.object({
    task: z.string().min(1).max(100),
    /** Events after this `seq` only. */
    after: z.coerce.number().int().nonnegative().optional(),
  }),
  output: z.object({ task: taskSummarySchema, events: z.array(taskEventSchema) }),
  errors: ['task-not-found'],
  effect: 'read',
  runsOn: 'server',
  long: false,
});
