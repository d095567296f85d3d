import { z } from 'zod';

/** When a script runs: in the imager before the first write; in the new system, which does not run yet; in the system that came up. */
export const scriptPhases = ['pre-install', 'post-install', 'first-boot'] as const;
export const scriptPhaseSchema = z.enum(scriptPhases);
export type ScriptPhase = z.infer<typeof scriptPhaseSchema>;

/** As of `health.d`: what editors and packagers leave beside a script (`10-raid~`, `10-raid.bak`) is none. */
export const scriptNameSchema = z
  .string()
  .max(100)
  .regex(/^\w[\w-]*(\.sh)?$/, 'must be a name of letters, digits, “_” and “-”, perhaps with .sh behind it: 10-raid');

/** A set of machines that has scripts of its own; a machine may be in several. */
export const groupNameSchema = z
  .string()
  .max(63)
  .regex(/^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/i, 'must be a name of letters, digits, “.”, “_” and “-”: rack1');
export const groupsSchema = z.array(groupNameSchema).max(50);

/** Whom a script is for: every machine, or those with an image, of a group, or one. */
export const scriptAudienceSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('all') }),
  z.object({ kind: z.enum(['image', 'group', 'machine']), name: z.string().min(1).max(300) }),
]);
export type ScriptAudience = z.infer<typeof scriptAudienceSchema>;

/** Bytes of one script, and of all that one machine gets. */
export const scriptLimit = 256 << 10;
export const scriptsLimit = 2 << 20;

export const scriptSchema = z.object({
  phase: scriptPhaseSchema,
  name: scriptNameSchema,
  for: scriptAudienceSchema,
  /** The whole file; empty: it takes away the script of its name that is for more machines. */
  text: z.string().max(scriptLimit),
});
export type Script = z.infer<typeof scriptSchema>;

/** A script as lists and plans show it. */
export const namedScriptSchema = scriptSchema.omit({ text: true });
export type NamedScript = z.infer<typeof namedScriptSchema>;

/** Beside the versions of a medium, signed by the server's key: `scripts.json`. */
export const mediumScriptsSchema = z.object({
  format: z.literal(1),
  kind: z.literal('imprint-scripts'),
  scripts: z.array(scriptSchema),
});
