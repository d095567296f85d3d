import { z } from 'zod';
import { type ErrorCode, errorCatalogue } from '../foundation/error-catalogue.ts';
import type { TaskEvent } from '../foundation/task.ts';

export const errorValueSchema = z.object({
  code: z.enum(Object.keys(errorCatalogue) as [ErrorCode, ...ErrorCode[]]),
  message: z.string(),
  hint: z.string(),
  details: z.record(z.string(), z.union([z.string(), z.number()])),
});

/** `TaskEvent` of `foundation/task.ts` on the wire: NDJSON, and server-sent events whose `id` is `seq`. */
export const taskEventSchema = z.object({
  taskId: z.string(),
  seq: z.int().positive(),
  time: z.number(),
  path: z.array(z.string()),
  kind: z.enum(['started', 'progress', 'log', 'warning', 'finished', 'failed']),
  message: z.string(),
  done: z.number().optional(),
  total: z.number().optional(),
  unit: z.enum(['bytes', 'files', 'steps', 'items']).optional(),
  error: errorValueSchema.optional(),
});

/** The event in a value that came as JSON; undefined where it is none. */
export function parseTaskEvent(value: unknown): TaskEvent | undefined {
  const { success, data } = taskEventSchema.safeParse(value);
  // What came as JSON has no field that is there and undefined.
  return success ? (data as TaskEvent) : undefined;
}

/** A task as it is listed. */
export const taskSummarySchema = z.object({
  id: z.string(),
  /** What it does, in words: `install web:3 on web01`. */
  title: z.string(),
  machine: z.string().optional(),
  /** `waiting`: ordered, and nothing has begun. */
  state: z.enum(['waiting', 'running', 'finished', 'failed']),
  started: z.number(),
  ended: z.number().optional(),
  last: taskEventSchema.optional(),
});
export type TaskSummary = z.infer<typeof taskSummarySchema>;

// Holds the schema against the type it describes: does not compile where the two drift apart.
taskEventSchema satisfies z.ZodType<Omit<TaskEvent, 'done' | 'total' | 'unit' | 'error'>>;
