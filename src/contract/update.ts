import { z } from 'zod';
import { digestSchema } from './image.ts';
import { statedRuleSchema } from './machine-rules.ts';

/** How a machine restarts into another version. */
export const rebootMethodSchema = z.enum(['auto', 'kexec', 'soft', 'full', 'none']);
export type RebootMethod = z.infer<typeof rebootMethodSchema>;

/** What becomes of local changes to files of the image in an update in place. */
export const driftPolicySchema = z.enum(['keep', 'merge', 'overwrite']);

/** How an update is to be done; what is absent is as the machine's own settings say (docs/agent.md). */
export const updateOptionsSchema = z.object({
  /** Change the running root rather than fill another slot. */
  inPlace: z.boolean().optional(),
  /** The slot to fill; absent: the one that is needed least. */
  slot: z.string().max(40).optional(),
  /** Boots that the new version gets to prove itself. */
  tries: z.int().min(1).max(9).optional(),
  reboot: rebootMethodSchema.optional(),
  drift: driftPolicySchema.optional(),
  /** In place: restart services whose files changed. */
  restartServices: z.boolean().optional(),
  /** Bytes in a second that may be fetched. */
  rate: z.int().positive().optional(),
});
export type UpdateOptions = z.infer<typeof updateOptionsSchema>;

/** A version as an update names it. */
export const namedVersionSchema = z.object({ reference: z.string(), digest: digestSchema });

/** What an update fetches and does, as far as it is known before. */
export const updatePlanSchema = z.object({
  from: namedVersionSchema.optional(),
  to: namedVersionSchema,
  way: z.enum(['partition', 'file', 'in-place']),
  /** The slot that is filled. */
  slot: z.string(),
  /** Entry of the boot menu that it becomes. */
  entry: z.string(),
  files: z.object({ added: z.number(), changed: z.number(), removed: z.number() }).optional(),
  /** Bytes and requests on the wire. */
  fetch: z.object({ bytes: z.number(), requests: z.number() }).optional(),
  packages: z.array(z.object({ name: z.string(), from: z.string().optional(), to: z.string().optional() })).optional(),
  /** Services whose files change. */
  services: z.array(z.string()).optional(),
  /** Local changes that are in the way (in place). */
  drift: z.array(z.object({ path: z.string(), change: z.string(), action: z.string() })).optional(),
  /** What stays this machine's own beside the usual, by what the image, the server and its settings say. */
  rules: z.array(statedRuleSchema).optional(),
  /** How it restarts, and why it must. */
  reboot: z.object({ method: rebootMethodSchema, reasons: z.array(z.string()) }),
  /** Why it would be refused. */
  problems: z.array(z.string()),
});
export type UpdatePlan = z.infer<typeof updatePlanSchema>;

/** An entry of the boot menu with the version in it. */
export const slotSchema = z.object({
  entry: z.string(),
  slot: z.string(),
  /** Of several systems beside each other the one that it is a version of. */
  system: z.string().optional(),
  reference: z.string(),
  digest: digestSchema,
  kernel: z.string(),
  title: z.string(),
  created: z.string(),
  /** What it is now. `default`: what starts by itself, of several systems; `good`: the last good one of its system. */
  roles: z.array(z.enum(['running', 'default', 'good', 'previous', 'trial'])),
});
export type Slot = z.infer<typeof slotSchema>;
