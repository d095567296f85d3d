import { z } from 'zod';
import { agentReportSchema, agentVersionSchema } from './agent-report.ts';
import { digestSchema } from './image.ts';
import { objectWishSchema } from './kept-object.ts';
import { machineFactsSchema } from './machine.ts';
import { machineRulesSchema } from './machine-rules.ts';
import { errorValueSchema, taskEventSchema } from './task-event.ts';
import { updateOptionsSchema } from './update.ts';

/**
 * What the agent of an installed machine and the server say to each other, over plain HTTP (`docs/agent.md`). As with the imager, the agent
 * acts only on a `SignedAnswer` whose payload repeats the nonce of its question.
 *
 * - `POST /agent/v1/hello` `AgentHello` → `SignedAnswer` of `AgentOrder`. Waits up to `waitSeconds` for an order.
 * - `POST /agent/v1/events` `AgentEvents` → 204. Events of one task may come again; the server drops what it has.
 * - `POST /agent/v1/outcome` `AgentOutcome` → 204.
 * - `POST /agent/v1/object` `AgentObject` (`kept-object.ts`) → 204.
 */
export const agentHelloSchema = z.object({
  nonce: z.string().regex(/^[0-9a-f]{64}$/),
  /** One for each start of the agent. */
  session: z.string().regex(/^[0-9a-f]{32}$/),
  facts: machineFactsSchema,
  report: agentReportSchema,
  waitSeconds: z.number().min(0).max(60),
  /** The order that the agent goes on with, begun before it started, perhaps in another slot. */
  order: z.string().max(100).optional(),
  problem: errorValueSchema.optional(),
});
export type AgentHello = z.infer<typeof agentHelloSchema>;

const idleOrderSchema = z.object({ kind: z.literal('wait'), name: z.string(), message: z.string() });
const updateOrderSchema = z.object({
  kind: z.literal('update'),
  id: z.string(),
  name: z.string(),
  /** `web:3`. */
  image: z.string(),
  digest: digestSchema,
  /** URL of the store, seen from the machine. */
  store: z.string(),
  options: updateOptionsSchema,
});
const revertOrderSchema = z.object({
  kind: z.literal('revert'),
  id: z.string(),
  name: z.string(),
  /** The version to go back to; absent: the one before. */
  to: agentVersionSchema.optional(),
  store: z.string(),
  options: updateOptionsSchema,
});

export const agentOrderSchema = z.object({
  nonce: z.string(),
  /** Server's time, milliseconds since 1970. */
  time: z.number(),
  /** What this machine keeps of its own beside the usual, as the server has it. */
  rules: machineRulesSchema.optional(),
  /** The server keeps what makes this machine itself. */
  object: objectWishSchema.optional(),
  order: z.discriminatedUnion('kind', [idleOrderSchema, updateOrderSchema, revertOrderSchema]),
});
export type AgentOrder = z.infer<typeof agentOrderSchema>;

export const agentEventsSchema = z.object({
  session: z.string(),
  order: z.string(),
  events: z.array(taskEventSchema),
});
export type AgentEvents = z.infer<typeof agentEventsSchema>;

export const agentOutcomeSchema = z.object({
  session: z.string(),
  order: z.string(),
  outcome: z.discriminatedUnion('kind', [
    /** All is written; the machine is about to restart into it. */
    z.object({ kind: z.literal('staged') }),
    /** It runs, and proved healthy. */
    z.object({ kind: z.literal('committed'), version: agentVersionSchema }),
    /** It did not prove healthy: the version before runs again. */
    z.object({ kind: z.literal('fell-back'), error: errorValueSchema }),
    /** Nothing was changed, or nothing that counts: the version before runs on. */
    z.object({ kind: z.literal('failed'), error: errorValueSchema }),
  ]),
});
export type AgentOutcome = z.infer<typeof agentOutcomeSchema>;
