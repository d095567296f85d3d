import { z } from 'zod';
import { installOptionsSchema } from './machine.ts';
import { errorValueSchema, taskEventSchema } from './task-event.ts';

/** Where a live system finds who serves its root: a Unix socket, for its administrator alone. */
export const liveControlPath = '/run/imprint/live/control';

/** The disk that somebody said yes to: another one is not written. */
export const liveDiskSchema = z.object({
  path: z.string(),
  serial: z.string().optional(),
  size: z.number(),
  content: z.string(),
});

/** What is asked: one line of JSON for each connection. */
export const liveRequestSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('status') }),
  /** What a move would do. Nothing is written. */
  z.object({ kind: z.literal('plan'), options: installOptionsSchema, name: z.string().optional() }),
  z.object({
    kind: z.literal('install'),
    options: installOptionsSchema,
    name: z.string().optional(),
    disk: z.object({ path: z.string(), serial: z.string().optional() }),
  }),
  /** The events of the move that is under way, or that was. */
  z.object({ kind: z.literal('follow') }),
  /** Has a move that broke off go on; answered as `follow`. */
  z.object({ kind: z.literal('go-on') }),
]);
export type LiveRequest = z.infer<typeof liveRequestSchema>;

export const liveStatusSchema = z.object({
  /** `web:3`. */
  image: z.string(),
  digest: z.string(),
  /** Bytes that writes are kept in; absent: they are on the disk. */
  memory: z
    .object({ used: z.number(), size: z.number(), level: z.enum(['calm', 'warned', 'slowed', 'stopped']) })
    .optional(),
  /** Whether the medium, or its copy in memory, is still read from. */
  needsMedium: z.boolean(),
  /** Why the medium cannot be read now; absent: it can, or is not needed. */
  problem: z.string().optional(),
  move: z
    .object({
      ...{ id: z.string(), disk: z.string(), state: z.enum(['running', 'finished', 'failed']) },
      /** Where it failed: whether it can only go on, onto the same disk. */
      goesOn: z.boolean().optional(),
    })
    .optional(),
});
export type LiveStatus = z.infer<typeof liveStatusSchema>;

export const livePlanSchema = z.object({
  name: z.string(),
  image: z.string(),
  disk: liveDiskSchema,
  others: z.array(liveDiskSchema),
  lost: z.array(z.object({ path: z.string(), what: z.string(), bytes: z.number(), used: z.number().optional() })),
  steps: z.array(z.string()),
});
export type LivePlan = z.infer<typeof livePlanSchema>;

/** What is answered: lines of JSON. An order is answered by its events, and then `done` or `error`. */
export const liveReplySchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('status'), status: liveStatusSchema }),
  z.object({ kind: z.literal('plan'), plan: livePlanSchema }),
  z.object({ kind: z.literal('event'), event: taskEventSchema }),
  z.object({ kind: z.literal('done') }),
  z.object({ kind: z.literal('error'), error: errorValueSchema }),
]);
export type LiveReply = z.infer<typeof liveReplySchema>;
