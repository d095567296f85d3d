import { z } from 'zod';

/** An absolute glob, `!` in front takes back what came before it. */
export const pathRuleSchema = z
  .string()
  .max(500)
  .regex(
    /^!?\/(?!.*(?:^|\/)\.\.?(?:\/|$))[^\0\n]*$/,
    'must be an absolute path or glob without . and .., perhaps with ! in front',
  );
const pathRulesSchema = z.array(pathRuleSchema).max(200);

/** What a machine is to keep of its own, beside what every machine keeps and what its own settings say (docs/agent.md). */
export const machineRulesSchema = z.object({
  /** Paths that an update in place leaves alone. */
  keep: pathRulesSchema.optional(),
  /** State that goes from slot to slot. */
  carry: pathRulesSchema.optional(),
  /** `server`: what makes it itself is kept at the server, too, and comes back with an install. Absent: it stays on the machine. */
  object: z.enum(['server']).optional(),
});
export type MachineRules = z.infer<typeof machineRulesSchema>;

/** Changes to rules: `null` takes a list away, what is absent stays. */
export const machineRuleChangesSchema = z.object({
  keep: pathRulesSchema.nullable().optional(),
  carry: pathRulesSchema.nullable().optional(),
  object: z.enum(['server']).nullable().optional(),
});

/** A rule as a plan shows it, and who said so: the image, the server, or the machine's own settings. */
export const statedRuleSchema = z.object({
  kind: z.enum(['keep', 'carry']),
  glob: z.string(),
  from: z.enum(['image', 'server', 'machine']),
});
export type StatedRule = z.infer<typeof statedRuleSchema>;
