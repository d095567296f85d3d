import { z } from 'zod';
import { defineOperation } from '../operation.ts';
import { namedScriptSchema, scriptAudienceSchema, scriptPhaseSchema, scriptSchema } from '../scripts.ts';
import { machineReferenceSchema } from './machines.ts';

/** A script in a list. */
export const listedScriptSchema = namedScriptSchema.extend({ bytes: z.number(), changed: z.number() });
export type ListedScript = z.infer<typeof listedScriptSchema>;

export const scriptList = defineOperation({
  name: 'script.list',
  summary: 'List the scripts of installs and first boots: all, or those that one machine would get, as they would run',
  input: z.object({ machine: machineReferenceSchema.optional() }),
  output: z.object({
    scripts: z.array(listedScriptSchema),
    /** Files of the directory that are none, by their names or places. */
    passedOver: z.array(z.string()),
  }),
  errors: ['machine-not-found'],
  effect: 'read',
  runsOn: 'server',
  long: false,
});

const oneScript = z.object({ phase: scriptPhaseSchema, name: z.string().min(1).max(300), for: scriptAudienceSchema });

export const scriptShow = defineOperation({
  name: 'script.show',
  summary: 'Show one script',
  // As one word: what only reads is asked by GET.
  input: z.object({
    phase: scriptPhaseSchema,
    name: z.string().min(1).max(300),
    /** `all`, `image:web`, `group:rack1`, `machine:web01`. */
    audience: z.string().regex(/^(?:all|(?:image|group|machine):.+)$/),
  }),
  output: scriptSchema,
  errors: ['script-not-found'],
  effect: 'read',
  runsOn: 'server',
  long: false,
});

export const scriptAdd = defineOperation({
  name: 'script.add',
  summary: 'Keep a script that installs, or first boots, are to run; one of the same name and place is replaced',
  input: scriptSchema,
  output: namedScriptSchema.extend({ replaced: z.boolean() }),
  errors: ['script-invalid', 'input-invalid', 'machine-not-found'],
  effect: 'change',
  runsOn: 'server',
  long: false,
});

export const scriptRemove = defineOperation({
  name: 'script.rm',
  summary: 'Forget a script; what was installed with it stays as it is',
  input: oneScript,
  output: namedScriptSchema,
  errors: ['script-not-found'],
  effect: 'change',
  runsOn: 'server',
  long: false,
});
